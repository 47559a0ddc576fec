import type { Activity, Block, Overview, Page, Robot as Answer } from '../api/answers'
import { address } from '../api/client'
import { Empty, Head, Robot, Robots, Shown, StateBadge, Time, BlockLink } from '../show/basics'
import { robotClass } from '../show/basics'
import { Spark } from '../show/spark'
import { Table } from '../show/table'
import { capital, count, list, many, span } from '../show/words'
import { useAnswer } from '../state/answer'
import { overview } from '../state/live'
import { href, moment } from '../state/place'
import { Calls } from './blocks'
import { ROBOT_COLUMNS } from './robots'

const FEED = 12
const SLOW = 15 // s; a longer silence or finality lag is worth a word

function findings(now: Overview, robots: readonly Answer[]) {
  const silent = robots.filter((one) => one.standing === 'active' && one.silent > SLOW)
  return [
    now.warning && { bad: true, words: capital(now.warning), link: '' },
    now.equivocators.length && {
      bad: true,
      words: `${list(now.equivocators)} signed two records with one number`,
      link: '/trust',
    },
    now.convicted.length && {
      bad: true,
      words: `${list(now.convicted)} convicted of false maps`,
      link: '/trust',
    },
    silent.length && {
      bad: false,
      words: `${list(silent.map((one) => one.name))} not heard for more than ${SLOW} s`,
      link: '/robots',
    },
    now.final_lag > SLOW && {
      bad: false,
      words: `what was decided in the last ${span(now.final_lag)} can still change`,
      link: '/blocks',
    },
  ].filter((one) => typeof one === 'object')
}

function Health({ now, robots }: { now: Overview; robots: readonly Answer[] }) {
  const found = findings(now, robots)
  if (!found.length) {
    return <p class="health is-good">All robots are heard, trusted, and agree.</p>
  }
  return (
    <ul class="health">
      {found.map(({ bad, words, link }) => (
        <li key={words} class={bad ? 'is-bad' : ''}>
          {link ? <a href={href(link)}>{words}</a> : words}
        </li>
      ))}
    </ul>
  )
}

function Tile(props: { name: string; figure: string; more: string; link: string }) {
  return (
    <a class="tile" href={props.link}>
      <span>{props.name}</span>
      <strong>{props.figure}</strong>
      <small>{props.more}</small>
    </a>
  )
}

function Tiles({ now }: { now: Overview }) {
  const tasks = Object.values(now.tasks).reduce((sum, number) => sum + number, 0)
  const states = Object.entries(now.tasks).filter(([, number]) => number)
  return (
    <div class="tiles">
      <Tile
        name="Blocks"
        figure={count(now.blocks)}
        more={`${count(now.final)} final, ${count(now.accepted)} accepted, ${count(now.pending)} pending`}
        link={href('/blocks')}
      />
      <Tile
        name="Finality lag"
        figure={span(now.final_lag)}
        more="from the newest final record to the newest"
        link={href('/dag')}
      />
      <Tile
        name="Robots"
        figure={String(now.robots.length)}
        more={`epoch ${now.epoch} of the membership`}
        link={href('/robots')}
      />
      <Tile
        name="Tasks"
        figure={count(tasks)}
        more={states.map(([state, number]) => `${number} ${state}`).join(', ') || 'none yet'}
        link={href('/tasks')}
      />
      <Tile
        name="Splits"
        figure={String(now.splits)}
        more="times when robots did not hear one another"
        link={href('/splits')}
      />
    </div>
  )
}

function Team({ robots, activity }: { robots: readonly Answer[]; activity: Activity | null }) {
  const spark = {
    title: 'Activity',
    cell: (robot: Answer) => (
      <span class={`spark-cell ${robotClass(robot.name)}`}>
        {activity && <Spark of={activity.blocks[robot.name] ?? []} name={robot.name} />}
      </span>
    ),
  }
  return <Table name="Robots" columns={[...ROBOT_COLUMNS, spark]} rows={robots} />
}

function Feed() {
  const url = address('/blocks', { until: moment.value, limit: FEED })
  return (
    <section>
      <h2>Newest blocks</h2>
      <Shown asked={useAnswer<Page<Block>>(url, moment.value !== null)}>
        {(page) =>
          page.items.length ? (
            <ol class="feed">
              {page.items.map((block) => (
                <li key={block.id}>
                  <Time at={block.issued} />
                  <Robot name={block.robot} />
                  <Calls of={block.calls} />
                  <StateBadge of={block.state} />
                  <BlockLink id={block.id} />
                </li>
              ))}
            </ol>
          ) : (
            <Empty>The ledger is empty: no robot has signed anything yet.</Empty>
          )
        }
      </Shown>
    </section>
  )
}

function CallCounts({ now }: { now: Overview }) {
  const calls = Object.entries(now.calls).sort(([, a], [, b]) => b - a)
  return (
    <section>
      <h2>Calls of the contracts</h2>
      <Table
        name="Calls of the contracts"
        columns={[
          {
            title: 'Call',
            cell: ([name]) => <a href={href('/blocks', { kind: name })}>{name}</a>,
          },
          { title: 'Executed', cell: ([, number]) => count(number), number: true },
          {
            title: 'Without effect',
            cell: ([name]) => count(now.reverted[name] ?? 0),
            number: true,
          },
        ]}
        rows={calls}
        empty="None yet."
      />
    </section>
  )
}

function Identity({ now }: { now: Overview }) {
  return (
    <section>
      <h2>Which ledger this is</h2>
      <dl class="facts">
        <dt>File</dt>
        <dd class="id">{now.source}</dd>
        <dt>Fleet</dt>
        <dd>
          {now.fleet} <span class="id soft">{now.fleet_id}</span>
        </dd>
        <dt>Kept by</dt>
        <dd>
          <Robot name={now.robot} />
        </dd>
        <dt>From, to</dt>
        <dd>
          <Time at={now.first} /> to <Time at={now.last} />
        </dd>
        <dt>Not held any more</dt>
        <dd>
          {many(now.pruned, 'final block')};{' '}
          {now.snapshot ? `snapshot ${now.snapshot}` : 'no snapshot'}
        </dd>
        <dt>Unsigned blocks</dt>
        <dd>{count(now.foreign)}</dd>
        <dt>Convicted</dt>
        <dd>
          <Robots of={now.convicted} />
        </dd>
        <dt>State root</dt>
        <dd class="id">{now.state_root}</dd>
        <dt>Final state root</dt>
        <dd class="id">{now.final_root}</dd>
        <dt>Final order</dt>
        <dd class="id">{now.final_digest}</dd>
      </dl>
    </section>
  )
}

export function OverviewPage() {
  const time = moment.value
  const url = address('/overview', { time })
  const then = useAnswer<Overview>(url, true)
  const robots = useAnswer<Answer[]>(address('/robots', { time }), time !== null)
  const activity = useAnswer<Activity>(address('/activity', { intervals: 60 }))
  // The live overview comes with the news.
  const shown = time === null && overview.value ? { ...then, answer: overview.value } : then
  return (
    <>
      <Head title="Overview" json={url}>
        {time === null ? 'The ledger now.' : 'The ledger as it was at the chosen time.'}
      </Head>
      <Shown asked={shown}>
        {(now) => (
          <>
            {robots.answer && <Health now={now} robots={robots.answer} />}
            <Tiles now={now} />
            <section>
              <h2>Robots</h2>
              <Shown asked={robots}>
                {(all) => <Team robots={all} activity={activity.answer} />}
              </Shown>
            </section>
            <Feed />
            <div class="columns">
              <CallCounts now={now} />
              <Identity now={now} />
            </div>
          </>
        )}
      </Shown>
    </>
  )
}
