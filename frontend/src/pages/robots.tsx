import type { Robot as Answer } from '../api/answers'
import { address } from '../api/client'
import { Badge, Head, Robot, Shown, TaskLink } from '../show/basics'
import { Table, type Column } from '../show/table'
import { count, span } from '../show/words'
import { useAnswer } from '../state/answer'
import { moment } from '../state/place'

export function Standing({ of }: { of: Answer }) {
  return (
    <>
      <Badge of={of.standing} tone={of.standing === 'active' ? 'good' : 'bad'} />
      {of.convicted && <Badge of="convicted" tone="bad" />}
      {of.equivocated && <Badge of="signed twice" tone="bad" />}
    </>
  )
}

export const ROBOT_COLUMNS: readonly Column<Answer>[] = [
  { title: 'Robot', cell: (robot) => <Robot name={robot.name} /> },
  { title: 'Standing', cell: (robot) => <Standing of={robot} /> },
  { title: 'Silent for', cell: (robot) => span(robot.silent), number: true },
  { title: 'Records', cell: (robot) => count(robot.blocks), number: true },
  { title: 'A second', cell: (robot) => robot.rate.toFixed(1), number: true },
  { title: 'Final', cell: (robot) => count(robot.final), number: true },
]

const MORE: readonly Column<Answer>[] = [
  { title: 'Calls', cell: (robot) => count(robot.calls), number: true },
  { title: 'Without effect', cell: (robot) => count(robot.reverted), number: true },
  { title: 'Tasks done', cell: (robot) => count(robot.tasks_done), number: true },
  {
    title: 'Holds',
    cell: (robot) =>
      robot.holds.length ? (
        <ul class="ids">
          {robot.holds.map((id) => (
            <li key={id}>
              <TaskLink id={id} />
            </li>
          ))}
        </ul>
      ) : (
        <span class="soft">nothing</span>
      ),
  },
]

/** Who has not heard whom for how long: a row per listener. */
export function Hearing({ of }: { of: readonly Answer[] }) {
  return (
    <Table
      name="For how long each robot has not heard each other"
      columns={[
        { title: 'Has not heard', cell: (robot: Answer) => <Robot name={robot.name} /> },
        ...of.map((other) => ({
          title: other.name,
          cell: (robot: Answer) =>
            robot.name === other.name ? '–' : span(robot.behind[other.name] ?? 0),
          number: true,
        })),
      ]}
      rows={of}
    />
  )
}

export function RobotsPage() {
  const url = address('/robots', { time: moment.value })
  const robots = useAnswer<Answer[]>(url, moment.value !== null)
  return (
    <>
      <Head title="Robots" json={url}>
        All that are or were in the fleet. Silence is counted up to the newest record of all.
      </Head>
      <Shown asked={robots}>
        {(all) => (
          <>
            <Table name="Robots" columns={[...ROBOT_COLUMNS, ...MORE]} rows={all} />
            <section>
              <h2>Who has not heard whom, and for how long</h2>
              <Hearing of={all} />
            </section>
          </>
        )}
      </Shown>
    </>
  )
}
