import type { Found, Hit } from '../api/answers'
import { address } from '../api/client'
import { Badge, Head, Shown, Time } from '../show/basics'
import { Pager, Table } from '../show/table'
import { many } from '../show/words'
import { useAnswer } from '../state/answer'
import { asked, href } from '../state/place'

const SIZE = 50

function link(hit: Hit): string {
  if (hit.kind === 'robot') return href(`/robots/${encodeURIComponent(hit.id)}`)
  if (hit.kind === 'task') return href(`/tasks/${hit.id}`)
  if (hit.kind === 'time') return href('/', { time: hit.id })
  return href(`/blocks/${hit.id}`)
}

export function FindPage() {
  const query = asked('q') ?? ''
  const url = address('/find', { q: query, page: asked('page'), limit: SIZE })
  return (
    <>
      <Head title={query ? <>Found for “{query}”</> : 'Find'} json={url} />
      <Shown asked={useAnswer<Found>(url, true)}>
        {(found) => (
          <>
            {query && found.searched.length > 0 && (
              <p>
                {many(found.hits.total, 'hit')}. Searched: {found.searched.join('; ')}.
              </p>
            )}
            {query && (
              <>
                <Table
                  name="Hits"
                  columns={[
                    { title: 'Kind', cell: (hit: Hit) => <Badge of={hit.kind} tone="kind" /> },
                    { title: 'What', cell: (hit) => <a href={link(hit)}>{hit.title}</a> },
                    { title: 'About it', cell: (hit) => hit.words },
                    {
                      title: 'Time',
                      cell: (hit) => hit.kind !== 'robot' && <Time at={hit.time} />,
                    },
                  ]}
                  rows={found.hits.items}
                  empty="Nothing was found."
                />
                <Pager of={found.hits} size={SIZE} />
              </>
            )}
            <section>
              <h2>What can be searched</h2>
              <ul>
                {found.accepts.map((hint) => (
                  <li key={hint}>{hint}</li>
                ))}
              </ul>
            </section>
          </>
        )}
      </Shown>
    </>
  )
}
