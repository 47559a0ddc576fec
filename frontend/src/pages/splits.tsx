import type { Split } from '../api/answers'
import { address } from '../api/client'
import { Badge, BlockLink, Empty, Head, Robots, Shown, TaskLink, Time } from '../show/basics'
import { Table } from '../show/table'
import { count, span } from '../show/words'
import { useAnswer } from '../state/answer'
import { href } from '../state/place'

/** s to show before and after a split, in the DAG. */
const AROUND = 5

export function SplitsPage() {
  const url = address('/splits')
  return (
    <>
      <Head title="Splits" json={url}>
        When robots did not hear one another, what each side did, and how it was joined.
      </Head>
      <Shown asked={useAnswer<Split[]>(url)}>
        {(splits) =>
          splits.length ? (
            [...splits].reverse().map((split) => <Card key={split.id} of={split} />)
          ) : (
            <Empty>Never so far: all robots always heard one another.</Empty>
          )
        }
      </Shown>
    </>
  )
}

function Card({ of }: { of: Split }) {
  const end = of.end
  return (
    <section id={of.id}>
      <h2>
        <Time at={of.begin} /> {end === null ? '– not healed yet' : `for ${span(end - of.begin)}`}{' '}
        {of.blocks_lost > 0 ? (
          <Badge of={`${of.blocks_lost} blocks lost`} tone="bad" />
        ) : (
          end !== null && <Badge of="nothing lost" tone="good" />
        )}
      </h2>
      <p>{of.words}</p>
      <Table
        name="What each side did"
        columns={[
          { title: 'Side', cell: ([index]) => index + 1, number: true },
          { title: 'Robots', cell: ([, side]) => <Robots of={side.robots} /> },
          { title: 'Records', cell: ([, side]) => count(side.blocks), number: true },
          { title: 'Calls', cell: ([, side]) => count(side.calls), number: true },
          { title: 'Tasks done', cell: ([, side]) => count(side.done), number: true },
          {
            title: 'Could decide for good',
            cell: ([, side]) => (side.finalised ? 'yes: 2/3 of the roster' : 'no: below 2/3'),
          },
        ]}
        rows={of.sides.map((side, index) => [index, side] as const)}
      />
      <dl class="facts">
        <dt>Joined by</dt>
        <dd>{of.joined === null ? 'nothing yet' : <BlockLink id={of.joined} />}</dd>
        <dt>Given out twice</dt>
        <dd>
          {of.twice.length ? (
            of.twice.map((task) => (
              <span key={task}>
                <TaskLink id={task} />{' '}
              </span>
            ))
          ) : (
            <span class="soft">no task</span>
          )}
        </dd>
      </dl>
      <p>
        <a
          href={href('/dag', {
            since: of.begin - AROUND,
            until: end && end + AROUND,
            colour: 'side',
            time: null,
          })}
        >
          See it in the DAG
        </a>
        {' · '}
        <a
          href={href('/tasks', {
            since: of.begin - AROUND,
            until: end && end + AROUND,
            time: null,
          })}
        >
          Tasks of that time
        </a>
        {' · '}
        <a href={href('/', { time: of.begin })}>The state when it began</a>
      </p>
    </section>
  )
}
