import { useEffect, useRef, useState } from 'preact/hooks'
import type { BlockDetails, Dag, News, Split } from '../api/answers'
import { address } from '../api/client'
import type { ColourBy, Scene } from '../dag/scene'
import type { Spacing } from '../dag/layout'
import { Head, Robot, Shown, robotClass } from '../show/basics'
import { Choice } from '../show/table'
import { count, short, when } from '../show/words'
import { useAnswer } from '../state/answer'
import { anew, names, onNews, overview, paused } from '../state/live'
import { asked, go, here, href, moment } from '../state/place'
import { theme } from '../state/theme'
import { BlockFacts } from './block'
import { Calls } from './blocks'

const LIMITS = ['500', '2000', '5000', '10000', '20000']
const LIMIT = '2000'
const MOST_HEARD = 50
const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

const change = (name: string) => (value: string | null) => go(here({ [name]: value }), true)

export function DagPage() {
  const part = {
    around: asked('around'),
    since: asked('since'),
    until: moment.value ?? asked('until'),
    limit: asked('limit') ?? LIMIT,
  }
  const url = address('/dag', part)
  // News bring it up to date; after a gap in them it is loaded anew.
  const dag = useAnswer<Dag>(`${url}#${anew.value}`, true)
  const block = asked('block')
  const whole = part.around === null && part.since === null && part.until === null
  // What came while the answer was on its way is not in it.
  const heard = useRef<News[]>([])
  useEffect(
    () => onNews((news) => (heard.current = [...heard.current.slice(1 - MOST_HEARD), news])),
    [],
  )
  return (
    <>
      <Head title="DAG" json={url}>
        Every block, and the blocks it approves: time to the right, a lane for each robot.
      </Head>
      <div class="filters">
        <Choice
          label="Colour by"
          name="colour"
          options={[
            ['', 'state'],
            ['robot', 'robot'],
            ['side', 'side of a split'],
          ]}
          onChoose={change('colour')}
        />
        <Choice
          label="Space by"
          name="space"
          options={[
            ['', 'time'],
            ['even', 'depth'],
          ]}
          onChoose={change('space')}
        />
        <Choice
          label="At most"
          name="limit"
          options={LIMITS.map((limit) => [
            limit === LIMIT ? '' : limit,
            `${count(Number(limit))} blocks`,
          ])}
          onChoose={change('limit')}
        />
        {!whole && <Part {...part} />}
      </div>
      <Shown asked={dag}>
        {(shown) => (
          <div class={`dag ${block ? 'has-card' : ''}`}>
            <Picture of={shown} live={whole} heard={heard.current} block={block} />
            {block && <Card id={block} />}
          </div>
        )}
      </Shown>
    </>
  )
}

/** Which part is shown, and the way back to all. */
function Part(props: {
  around: string | null
  since: string | null
  until: string | number | null
}) {
  const from = props.since === null ? '' : ` from ${when(Number(props.since))}`
  const to = props.until === null ? '' : ` to ${when(Number(props.until))}`
  return (
    <p class="part">
      Shown{props.around && ` around ${short(props.around)}`}
      {from}
      {to}.{' '}
      <a href={here({ around: null, since: null, until: null, time: null })}>Show the newest</a>
    </p>
  )
}

function Legend({ by }: { by: ColourBy }) {
  if (by === 'robot') {
    return (
      <p class="legend">
        {names.value.map((name) => (
          <span key={name} class={`key ${robotClass(name)}`}>
            {name}
          </span>
        ))}
      </p>
    )
  }
  const keys =
    by === 'state'
      ? [
          ['pending', 'pending'],
          ['accepted', 'accepted'],
          ['final', 'final'],
        ]
      : [
          ['whole', 'all hear all'],
          ['r0', 'side 1'],
          ['r1', 'side 2'],
          ['r2', 'side 3'],
        ]
  return (
    <p class="legend">
      {keys.map(([name, words]) => (
        <span key={name} class={`key ${by === 'state' ? `state-${name}` : name}`}>
          {words}
        </span>
      ))}
      <span>small: a heartbeat without calls</span>
    </p>
  )
}

function Picture(props: { of: Dag; live: boolean; heard: readonly News[]; block: string | null }) {
  const { of, live, block } = props
  const box = useRef<HTMLDivElement>(null)
  const scene = useRef<Scene | null>(null)
  const [ready, setReady] = useState(false)
  const [trouble, setTrouble] = useState('')
  const splits = useAnswer<Split[]>(address('/splits'))
  const by = (asked('colour') ?? 'state') as ColourBy
  const spacing = (asked('space') ?? 'time') as Spacing
  const shade = theme.value
  useEffect(() => {
    let gone = false
    import('../dag/scene')
      .then(({ Scene }) => {
        if (gone) return
        scene.current = new Scene(box.current!, by, spacing, (id) => change('block')(id))
        setReady(true)
      })
      .catch((error: Error) => setTrouble(error.message))
    return () => {
      gone = true
      scene.current?.destroy()
      scene.current = null
    }
  }, [])
  useEffect(() => scene.current?.choose(block), [ready, block])
  useEffect(() => {
    scene.current?.show(of, asked('since') !== null)
    if (live) for (const news of props.heard) scene.current?.add(news)
  }, [ready, of])
  useEffect(() => scene.current?.setSplits(splits.answer ?? []), [ready, splits.answer])
  useEffect(() => scene.current?.setColours(by), [ready, by, shade])
  useEffect(() => scene.current?.setSpacing(spacing), [ready, spacing])
  useEffect(() => (live ? onNews((news) => scene.current?.add(news)) : undefined), [live])
  const onKey = (event: KeyboardEvent) => {
    const now = scene.current
    const arrow = ARROWS[event.key]
    if (!now || event.ctrlKey || event.altKey || event.metaKey) return
    if (arrow) {
      const next = now.neighbour(...arrow)
      if (next) {
        change('block')(next)
        now.centre(next)
      }
    } else if (event.key === '+' || event.key === '-') now.zoom(event.key === '+')
    else if (event.key === '0') now.all()
    else if (event.key === 'Enter' && block) go(href(`/blocks/${block}`))
    else return
    event.preventDefault()
  }
  if (trouble) {
    return (
      <div class="refusal" role="alert">
        <p>The DAG cannot be drawn: {trouble}. This browser seems to have no WebGL.</p>
        <p>
          The same blocks <a href={href('/blocks')}>as a list</a>.
        </p>
      </div>
    )
  }
  return (
    <div class="dag-frame">
      <div
        ref={box}
        class="dag-box"
        tabIndex={0}
        role="application"
        aria-label={`DAG of ${of.id.length} blocks. Arrow keys go from block to block, plus and minus zoom. The same as a list: page Blocks.`}
        data-ready={ready}
        onKeyDown={onKey}
      />
      <div class="dag-tools" role="group" aria-label="Move the picture">
        <button type="button" onClick={() => scene.current?.zoom(true)} aria-label="Nearer">
          +
        </button>
        <button type="button" onClick={() => scene.current?.zoom(false)} aria-label="Farther">
          −
        </button>
        <button type="button" onClick={() => scene.current?.all()}>
          All
        </button>
        <button type="button" onClick={() => scene.current?.newest()}>
          Newest
        </button>
      </div>
      <Legend by={by} />
      <p class="note">
        {count(of.id.length)} blocks loaded
        {of.cut && ', the newest of more: choose more above, or a time below'}
        {live &&
          (paused.value ? '; paused' : `; ${count(overview.value?.blocks ?? 0)} in the ledger`)}
        .
      </p>
    </div>
  )
}

/** The block that was clicked. */
function Card({ id }: { id: string }) {
  const asked = useAnswer<BlockDetails>(address(`/blocks/${encodeURIComponent(id)}`))
  return (
    <aside class="card" aria-label="Chosen block" aria-live="polite">
      <div class="head-row">
        <h2>
          <a href={href(`/blocks/${id}`)}>Block {short(id)}</a>
        </h2>
        <a class="close" href={here({ block: null })} aria-label="Close">
          ✕
        </a>
      </div>
      <Shown asked={asked}>
        {(block) => (
          <>
            <p>
              <Robot name={block.robot} />{' '}
              {block.robot === null ? block.tag : <Calls of={block.calls} />}
            </p>
            <BlockFacts of={block} />
          </>
        )}
      </Shown>
    </aside>
  )
}
