import type { Model, Models } from '../api/answers'
import { address } from '../api/client'
import { Empty, Head, Robot, Robots, Shown } from '../show/basics'
import { Table } from '../show/table'
import { useAnswer } from '../state/answer'
import { moment } from '../state/place'
import { FailureTable } from './trust'

export function ModelsPage() {
  const url = address('/models', { time: moment.value })
  const models = useAnswer<Models>(url, moment.value !== null)
  return (
    <>
      <Head title="Models" json={url}>
        Parts of neural networks that robots run for one another, and the audits that failed.
      </Head>
      <Shown asked={models}>
        {(all) => (
          <>
            <Table
              name="Parts of models"
              columns={[
                {
                  title: 'Part',
                  cell: (model: Model) => model.part || <span class="id">{model.id}</span>,
                },
                {
                  title: 'Of model',
                  cell: (model) =>
                    model.model ? (
                      <span class="id">{model.model}</span>
                    ) : (
                      <span class="soft">not registered, only offered</span>
                    ),
                },
                { title: 'Served by', cell: (model) => <Robots of={model.servers} /> },
                { title: 'Who may serve it', cell: (model) => <Permissions of={model} /> },
              ]}
              rows={all.models}
              empty="No robot has offered a part of a model."
            />
            <section>
              <h2>Failed audits</h2>
              {Object.keys(all.failures).length ? (
                Object.entries(all.failures).map(([robot, failures]) => (
                  <div key={robot}>
                    <h3>
                      <Robot name={robot} />
                    </h3>
                    <FailureTable of={failures} />
                  </div>
                ))
              ) : (
                <Empty>No audit has failed.</Empty>
              )}
            </section>
          </>
        )}
      </Shown>
    </>
  )
}

function Permissions({ of }: { of: Model }) {
  return (
    <ul class="ids">
      {Object.entries(of.permissions).map(([robot, words]) => (
        <li key={robot}>
          <Robot name={robot} /> {words}
        </li>
      ))}
    </ul>
  )
}
