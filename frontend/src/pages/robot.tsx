import type { Event, RobotDetails } from '../api/answers'
import { address } from '../api/client'
import { Badge, BlockLink, Head, Robot, Shown, TaskLink, Time } from '../show/basics'
import { Pager, Table, type Column } from '../show/table'
import { count, span } from '../show/words'
import { useAnswer } from '../state/answer'
import { asked, href } from '../state/place'
import { Standing } from './robots'

const SIZE = 50

export const EVENT_COLUMNS: readonly Column<Event>[] = [
  { title: 'Time', cell: (event) => <Time at={event.time} /> },
  { title: 'Robot', cell: (event) => <Robot name={event.robot} /> },
  {
    title: 'What happened',
    cell: (event) => (
      <>
        {event.words}
        {!event.ok && <Badge of="without effect" tone="bad" />}
      </>
    ),
  },
  { title: 'Task', cell: (event) => event.task && <TaskLink id={event.task} /> },
  { title: 'Block', cell: (event) => event.block && <BlockLink id={event.block} /> },
]

export function RobotPage({ id }: { id: string }) {
  const url = address(`/robots/${encodeURIComponent(id)}`, { page: asked('page'), limit: SIZE })
  const details = useAnswer<RobotDetails>(url)
  return (
    <>
      <Head title={<Robot name={id} />} json={url} />
      <Shown asked={details}>
        {({ robot, history }) => (
          <>
            <dl class="facts">
              <dt>Standing</dt>
              <dd>
                <Standing of={robot} /> weight {robot.weight}.{' '}
                <a href={href('/trust')}>What speaks for and against it</a>
              </dd>
              <dt>Newest record</dt>
              <dd>
                <Time at={robot.last} />, {span(robot.silent)} before the newest of all
              </dd>
              <dt>Records</dt>
              <dd>
                {count(robot.blocks)}, {count(robot.final)} of them final;{' '}
                <a href={href('/blocks', { robot: robot.name })}>list them</a>
              </dd>
              <dt>Calls</dt>
              <dd>
                {count(robot.calls)}, {count(robot.reverted)} without effect
              </dd>
              <dt>Tasks</dt>
              <dd>
                {count(robot.tasks_done)} done, holds{' '}
                {robot.holds.length
                  ? robot.holds.map((task) => <TaskLink key={task} id={task} />)
                  : 'none'}
              </dd>
              <dt>Public key</dt>
              <dd class="id">{robot.key}</dd>
            </dl>
            <section>
              <h2>All that it did, newest first</h2>
              <Table
                name="History"
                columns={EVENT_COLUMNS.filter((column) => column.title !== 'Robot')}
                rows={history.items}
                empty="Nothing yet."
              />
              <Pager of={history} size={SIZE} />
            </section>
          </>
        )}
      </Shown>
    </>
  )
}
