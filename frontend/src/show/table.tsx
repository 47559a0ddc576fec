import type { ComponentChildren } from 'preact'
import type { Page } from '../api/answers'
import { asked, here } from '../state/place'
import { Empty } from './basics'
import { count } from './words'

export interface Column<Row> {
  title: string
  cell: (row: Row) => ComponentChildren
  number?: boolean
}

/** A table; on a phone each row becomes a card. */
export function Table<Row>(props: {
  name: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  empty?: ComponentChildren
}) {
  if (!props.rows.length) return <Empty>{props.empty ?? 'There are none.'}</Empty>
  return (
    <table>
      <caption class="hidden">{props.name}</caption>
      <thead>
        <tr>
          {props.columns.map((column) => (
            <th key={column.title} scope="col" class={column.number ? 'number' : ''}>
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row, index) => (
          <tr key={index}>
            {props.columns.map((column) => (
              <td
                key={column.title}
                class={column.number ? 'number' : ''}
                data-title={column.title}
              >
                <div>{column.cell(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Which page comes before one, as far as this visit saw it. */
const before = new Map<string, string | null>()

/** Where in a long list one is, and links to the pages around. */
export function Pager<Item>({ of, size }: { of: Page<Item>; size: number }) {
  const page = asked('page')
  const number = Number(asked('n') ?? 1)
  if (of.next !== null) before.set(of.next, page)
  const earlier = page !== null && before.has(page) ? before.get(page) : undefined
  return (
    <nav class="pager" aria-label="Pages">
      <span>
        {count(of.total)} in all
        {of.total > size && `, page ${number} of ${Math.ceil(of.total / size)}`}
      </span>
      {page !== null && <a href={here({ page: null, n: null })}>First</a>}
      {earlier !== undefined && (
        <a rel="prev" href={here({ page: earlier, n: earlier === null ? null : number - 1 })}>
          Previous
        </a>
      )}
      {of.next !== null && (
        <a rel="next" href={here({ page: of.next, n: number + 1 })}>
          Next
        </a>
      )}
    </nav>
  )
}

/** A choice that the address keeps. */
export function Choice(props: {
  label: string
  name: string
  options: readonly (readonly [value: string, words: string])[]
  onChoose: (value: string | null) => void
}) {
  const id = `choose-${props.name}`
  const given = asked(props.name)
  return (
    <span class="choice">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={props.options.some(([value]) => value === given) ? given! : ''}
        onChange={(event) => props.onChoose(event.currentTarget.value || null)}
      >
        {props.options.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </span>
  )
}
