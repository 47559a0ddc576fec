import type { Block, Call, Page } from '../api/answers'
import { address } from '../api/client'
import { BlockLink, Head, Robot, Shown, StateBadge, Time } from '../show/basics'
import { Choice, Pager, Table, type Column } from '../show/table'
import { count } from '../show/words'
import { useAnswer } from '../state/answer'
import { names, overview } from '../state/live'
import { asked, go, here, href, moment } from '../state/place'

const SIZE = 50

export function Calls({ of }: { of: readonly Call[] }) {
  if (!of.length) return <span class="soft">heartbeat</span>
  return (
    <ul class="calls">
      {of.map((call, index) => (
        <li key={index} class={call.ok ? '' : 'is-reverted'}>
          {call.words || call.name}
          {!call.ok && <span class="why"> without effect: {call.reason}</span>}
        </li>
      ))}
    </ul>
  )
}

export const BLOCK_COLUMNS: readonly Column<Block>[] = [
  { title: 'Block', cell: (block) => <BlockLink id={block.id} /> },
  { title: 'Issued', cell: (block) => <Time at={block.issued} /> },
  { title: 'Robot', cell: (block) => <Robot name={block.robot} /> },
  { title: 'What', cell: (block) => <Calls of={block.calls} /> },
  { title: 'State', cell: (block) => <StateBadge of={block.state} /> },
  { title: 'Bytes', cell: (block) => count(block.size), number: true },
]

const choose = (name: string) => (value: string | null) =>
  go(here({ [name]: value, page: null, n: null }))

export function BlocksPage() {
  const until = moment.value ?? asked('until')
  const filter = {
    robot: asked('robot'),
    kind: asked('kind'),
    state: asked('state'),
    since: asked('since'),
    until,
  }
  const url = address('/blocks', { ...filter, page: asked('page'), limit: SIZE })
  const page = useAnswer<Page<Block>>(url)
  const kinds = Object.keys(overview.value?.calls ?? {}).sort()
  return (
    <>
      <Head title="Blocks" json={url}>
        Every record that a robot signed, newest first.{' '}
        <a href={href('/dag', { since: filter.since, until: asked('until') })}>
          See them in the DAG
        </a>
      </Head>
      <div class="filters">
        <Choice
          label="Robot"
          name="robot"
          options={[
            ['', 'all'],
            ...names.value.map((name) => [name, name] as const),
            ['unsigned', 'unsigned'],
          ]}
          onChoose={choose('robot')}
        />
        <Choice
          label="What"
          name="kind"
          options={[
            ['', 'all'],
            ['heartbeat', 'heartbeats'],
            ['reverted', 'calls without effect'],
            ...kinds.map((kind) => [kind, kind] as const),
          ]}
          onChoose={choose('kind')}
        />
        <Choice
          label="State"
          name="state"
          options={[
            ['', 'all'],
            ['pending', 'pending'],
            ['accepted', 'accepted'],
            ['final', 'final'],
          ]}
          onChoose={choose('state')}
        />
        <Seconds label="From" name="since" />
        {moment.value === null && <Seconds label="To" name="until" />}
      </div>
      <Shown asked={page}>
        {(blocks) => (
          <>
            <Table
              name="Blocks"
              columns={BLOCK_COLUMNS}
              rows={blocks.items}
              empty="No block is like that. Choose something else above."
            />
            <Pager of={blocks} size={SIZE} />
          </>
        )}
      </Shown>
    </>
  )
}

/** A time in s that the address keeps. */
function Seconds({ label, name }: { label: string; name: string }) {
  const id = `choose-${name}`
  return (
    <span class="choice">
      <label for={id}>{label}, s</label>
      <input
        id={id}
        type="number"
        step="any"
        key={asked(name)}
        defaultValue={asked(name) ?? ''}
        onChange={(event) => choose(name)(event.currentTarget.value || null)}
      />
    </span>
  )
}
