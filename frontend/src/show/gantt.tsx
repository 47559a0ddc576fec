import { useEffect, useRef, useState } from 'preact/hooks'
import type { Bar, Split } from '../api/answers'
import { names } from '../state/live'
import { asked, go, here, href } from '../state/place'
import { robotClass } from './basics'
import { many, span, tick, when } from './words'

const MOST = 1500 // bars; more are neither seen nor drawn in time
const ROW = 26
const LABEL = 84
const TOP = 22

/** Round steps such that about `wanted` fit. */
export function ticks(begin: number, end: number, wanted: number): number[] {
  const raw = (end - begin) / wanted
  const magnitude = 10 ** Math.floor(Math.log10(raw || 1))
  const step = [1, 2, 5, 10].map((m) => m * magnitude).find((s) => s >= raw) ?? raw
  const first = Math.ceil(begin / step)
  return Array.from(
    { length: Math.max(Math.floor(end / step) - first + 1, 0) },
    (_, i) => (first + i) * step,
  )
}

/** Rows that robots need so that no two bars of a row overlap. */
function rows(bars: readonly Bar[]): { robot: string; row: number }[] {
  const ends = new Map<string, number[]>()
  return bars.map((bar) => {
    const free = ends.get(bar.robot) ?? []
    ends.set(bar.robot, free)
    let row = free.findIndex((end) => end <= bar.begin)
    if (row < 0) row = free.length
    free[row] = bar.until
    return { robot: bar.robot, row }
  })
}

/** A row for each robot, a bar for each lease, splits behind. */
export function Gantt({ bars, splits }: { bars: readonly Bar[]; splits: readonly Split[] }) {
  const frame = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(900)
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width))
    watch.observe(frame.current!)
    return () => watch.disconnect()
  }, [])
  const shown = bars.slice(-MOST)
  const begin = Math.min(...shown.map((bar) => bar.begin))
  const end = Math.max(...shown.map((bar) => bar.until), begin + 1)
  const x = (time: number) => LABEL + ((width - LABEL - 8) * (time - begin)) / (end - begin)
  const placed = rows(shown)
  const shownRobots = new Set(placed.map(({ robot }) => robot))
  const roster = names.value.filter((name) => shownRobots.has(name))
  const robots = [...new Set([...roster, ...shownRobots])]
  const tall = robots.map(
    (name) => 1 + Math.max(...placed.filter(({ robot }) => robot === name).map(({ row }) => row)),
  )
  const above = robots.map((_, index) => tall.slice(0, index).reduce((sum, n) => sum + n, 0))
  const height = TOP + ROW * tall.reduce((sum, n) => sum + n, 0)
  const marks = ticks(begin, end, Math.max(width / 130, 2))
  return (
    <div ref={frame} class="gantt">
      <Zoom begin={begin} end={end} />
      {shown.length < bars.length && (
        <p class="note">
          The newest {many(shown.length, 'lease')} of {bars.length}; narrow the time to see others.
        </p>
      )}
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="group"
        aria-label="Timeline of leases; the table below lists the tasks"
      >
        {splits.map((split) => {
          const [from, to] = [
            Math.max(x(split.begin), LABEL),
            Math.min(x(split.end ?? end), width),
          ]
          return to > from ? (
            <rect
              key={split.id}
              class="split"
              x={from}
              width={to - from}
              y={TOP}
              height={height - TOP}
            >
              <title>{split.words}</title>
            </rect>
          ) : null
        })}
        {marks.map((mark) => (
          <g key={mark}>
            <line class="rule" x1={x(mark)} x2={x(mark)} y1={TOP} y2={height} />
            <text class="tick" x={x(mark)} y={14} text-anchor="middle">
              {tick(mark)}
            </text>
          </g>
        ))}
        {robots.map((name, index) => (
          <g key={name}>
            <line
              class="rule"
              x1={0}
              x2={width}
              y1={TOP + ROW * above[index]!}
              y2={TOP + ROW * above[index]!}
            />
            <text class="row-name" x={0} y={TOP + ROW * above[index]! + 17}>
              {name.length > 11 ? `${name.slice(0, 10)}…` : name}
            </text>
          </g>
        ))}
        {shown.map((bar, index) => {
          const { robot, row } = placed[index]!
          const words = `${bar.words}: ${robot}, ${when(bar.begin)}, for ${span(bar.until - bar.begin)}, ${bar.end}`
          const top = TOP + ROW * (above[robots.indexOf(robot)]! + row) + 5
          return (
            <a key={index} href={href(`/tasks/${bar.task}`)} tabIndex={-1} aria-label={words}>
              <rect
                class={`lease ${robotClass(robot)} end-${bar.end}`}
                x={x(bar.begin)}
                y={top}
                rx={3}
                width={Math.max(x(bar.until) - x(bar.begin), 2)}
                height={ROW - 10}
              >
                <title>{words}</title>
              </rect>
            </a>
          )
        })}
      </svg>
      <p class="legend">
        <span class="key end-done">done</span>
        <span class="key end-held">held</span>
        <span class="key end-released">given back</span>
        <span class="key end-lapsed">ran out, or superseded</span>
        <span class="key split-key">split</span>
      </p>
    </div>
  )
}

function Zoom({ begin, end }: { begin: number; end: number }) {
  const length = end - begin
  const show = (since: number | null, until: number | null) =>
    go(
      here({
        since: since && Math.round(since * 10) / 10,
        until: until && Math.round(until * 10) / 10,
      }),
      true,
    )
  return (
    <div class="zoom" role="group" aria-label="Time shown">
      <button type="button" onClick={() => show(begin - length / 2, end - length / 2)}>
        ← Earlier
      </button>
      <button type="button" onClick={() => show(begin + length / 4, end - length / 4)}>
        Nearer
      </button>
      <button type="button" onClick={() => show(begin + length / 2, end + length / 2)}>
        Later →
      </button>
      <button
        type="button"
        disabled={!asked('since') && !asked('until')}
        onClick={() => show(null, null)}
      >
        All
      </button>
    </div>
  )
}
