import type { Bar, Page, Split, Task } from '../api/answers'
import { address } from '../api/client'
import { Badge, Empty, Head, Robot, Shown, TaskLink, Time } from '../show/basics'
import { Choice, Pager, Table, type Column } from '../show/table'
import { Gantt } from '../show/gantt'
import { capital } from '../show/words'
import { useAnswer } from '../state/answer'
import { asked, go, here, moment } from '../state/place'

const SIZE = 50
const STATES = ['open', 'held', 'done', 'stale', 'missed']

const COLUMNS: readonly Column<Task>[] = [
  { title: 'Task', cell: (task) => <TaskLink id={task.id} words={capital(task.words)} /> },
  { title: 'State', cell: (task) => <Badge of={task.state} tone={`task-${task.state}`} /> },
  {
    title: 'Robot',
    cell: (task) => <Robots of={task} />,
  },
  { title: 'Why', cell: (task) => task.why },
  { title: 'Bids', cell: (task) => Object.keys(task.bids).length, number: true },
  { title: 'Proposed', cell: (task) => <Time at={task.proposed} /> },
]

function Robots({ of }: { of: Task }) {
  const done = Object.keys(of.completed)
  if (done.length) return done.map((name) => <Robot key={name} name={name} />)
  return of.holder === null ? <span class="soft">nobody</span> : <Robot name={of.holder} />
}

export function TasksPage() {
  const url = address('/tasks', {
    state: asked('state'),
    time: moment.value,
    page: asked('page'),
    limit: SIZE,
  })
  const tasks = useAnswer<Page<Task>>(url, moment.value !== null)
  return (
    <>
      <Head title="Tasks" json={url}>
        What was to be done, who has it or did it, and why.
      </Head>
      <Timeline />
      <div class="filters">
        <Choice
          label="State"
          name="state"
          options={[['', 'all'], ...STATES.map((state) => [state, state] as const)]}
          onChoose={(state) => go(here({ state, page: null, n: null }))}
        />
      </div>
      <Shown asked={tasks}>
        {(page) => (
          <>
            <Table
              name="Tasks"
              columns={COLUMNS}
              rows={page.items}
              empty="No task is in that state."
            />
            <Pager of={page} size={SIZE} />
          </>
        )}
      </Shown>
    </>
  )
}

function Timeline() {
  const [since, until] = [asked('since'), asked('until')]
  const url = address('/timeline', { since, until: moment.value ?? until })
  const bars = useAnswer<Bar[]>(url, moment.value !== null)
  const splits = useAnswer<Split[]>(address('/splits'))
  return (
    <section>
      <h2>Who had which task when</h2>
      <Shown asked={bars}>
        {(all) =>
          all.length ? (
            <Gantt bars={all} splits={splits.answer ?? []} />
          ) : (
            <Empty>Nobody had a task {since || until ? 'at that time' : 'yet'}.</Empty>
          )
        }
      </Shown>
    </section>
  )
}
