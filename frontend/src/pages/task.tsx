import type { Lease, TaskDetails } from '../api/answers'
import { address } from '../api/client'
import { Badge, Empty, Head, Robot, Shown, Time } from '../show/basics'
import { Table } from '../show/table'
import { capital, metres, short, span } from '../show/words'
import { useAnswer } from '../state/answer'
import { href, moment } from '../state/place'
import { EVENT_COLUMNS } from './robot'

export function TaskPage({ id }: { id: string }) {
  const url = address(`/tasks/${encodeURIComponent(id)}`, { time: moment.value })
  const asked = useAnswer<TaskDetails>(url, moment.value !== null)
  const known = asked.answer
  return (
    <>
      <Head title={known ? capital(known.words) : `Task ${short(id)}`} json={url}>
        {known && (
          <>
            <Badge of={known.state} tone={`task-${known.state}`} /> {known.why}
          </>
        )}
      </Head>
      <Shown asked={asked}>
        {(task) => (
          <>
            <Facts of={task} />
            <section>
              <h2>Who could have done it, and why they have it or not</h2>
              <Candidates of={task} />
            </section>
            <section>
              <h2>Who had it</h2>
              <Leases of={task.leases} />
            </section>
            <section>
              <h2>All that happened</h2>
              <Table
                name="History of the task"
                columns={EVENT_COLUMNS.filter((column) => column.title !== 'Task')}
                rows={task.history}
                empty="Nothing."
              />
            </section>
          </>
        )}
      </Shown>
    </>
  )
}

function Facts({ of }: { of: TaskDetails }) {
  const [x, y] = of.place
  return (
    <dl class="facts">
      <dt>Kind</dt>
      <dd>
        {of.kind}, round {of.round}, priority {of.priority}
      </dd>
      <dt>Place</dt>
      <dd>
        <a href={href('/map', { x, y })}>
          x {metres(x)}, y {metres(y)}
        </a>
      </dd>
      <dt>Proposed</dt>
      <dd>
        <Time at={of.proposed} />
      </dd>
      <dt>Award from</dt>
      <dd>
        <Time at={of.award_from} />
      </dd>
      <dt>Holder</dt>
      <dd>
        {of.holder === null ? (
          'nobody'
        ) : (
          <>
            <Robot name={of.holder} />, lease until <Time at={of.lease_until} />
          </>
        )}
      </dd>
      {of.deadline > 0 && (
        <>
          <dt>Deadline</dt>
          <dd>
            <Time at={of.deadline} />
          </dd>
        </>
      )}
      {Object.entries(of.completed).map(([name, time]) => (
        <>
          <dt>Done by</dt>
          <dd>
            <Robot name={name} />, <Time at={time} />
          </dd>
        </>
      ))}
      <dt>Id</dt>
      <dd class="id">{of.id}</dd>
    </dl>
  )
}

function Candidates({ of }: { of: TaskDetails }) {
  const known = new Set([...Object.keys(of.bids), ...Object.keys(of.reasons)])
  const cost = (name: string) => of.bids[name] ?? Infinity
  const robots = [...known].sort((a, b) => cost(a) - cost(b))
  return (
    <Table
      name="Robots and their bids"
      columns={[
        { title: 'Robot', cell: (name: string) => <Robot name={name} /> },
        {
          title: 'Bid',
          cell: (name) =>
            name in of.bids ? metres(of.bids[name]!) : <span class="soft">none</span>,
          number: true,
        },
        { title: 'Why', cell: (name) => of.reasons[name] },
      ]}
      rows={robots}
      empty="Nobody bid."
    />
  )
}

function Leases({ of }: { of: readonly Lease[] }) {
  if (!of.length) return <Empty>Nobody so far.</Empty>
  return (
    <Table
      name="Leases"
      columns={[
        { title: 'Robot', cell: (lease: Lease) => <Robot name={lease.robot} /> },
        { title: 'From', cell: (lease) => <Time at={lease.begin} /> },
        { title: 'Until', cell: (lease) => <Time at={lease.until} /> },
        { title: 'For', cell: (lease) => span(lease.until - lease.begin), number: true },
        { title: 'Ended', cell: (lease) => <Badge of={lease.end} tone={`end-${lease.end}`} /> },
      ]}
      rows={of}
    />
  )
}
