/** Time: how much happened when, the moment that is shown, and whether the pages follow. */

import { useEffect, useState } from 'preact/hooks'
import type { Activity } from '../api/answers'
import { address } from '../api/client'
import { many, span, tick, when } from '../show/words'
import { useAnswer } from '../state/answer'
import { connected, overview, paused, refusal, togglePause, waiting } from '../state/live'
import { go, here, moment } from '../state/place'

const INTERVALS = 120
const SETTLE = 200 // ms without a move until the pages show the time
const STEPS = 1000

function Histogram({ of }: { of: Activity }) {
  const length = Math.max(of.end - of.begin, 1e-9)
  const at = (time: number) => (INTERVALS * (time - of.begin)) / length
  const sums = Array.from({ length: INTERVALS }, (_, index) =>
    Object.values(of.blocks).reduce((sum, counts) => sum + (counts[index] ?? 0), 0),
  )
  const top = Math.max(...sums, 1)
  return (
    <svg class="histogram" viewBox={`0 0 ${INTERVALS} 24`} preserveAspectRatio="none" aria-hidden>
      {of.splits.map((split) => (
        <rect
          key={split.id}
          class="split"
          x={at(split.begin)}
          width={Math.max(at(split.end ?? of.end) - at(split.begin), 0.3)}
          height={24}
        />
      ))}
      {sums.map((sum, index) => {
        const height = sum && Math.max((22 * sum) / top, 1)
        return sum ? (
          <rect key={index} x={index + 0.12} width={0.76} y={24 - height} height={height} />
        ) : null
      })}
    </svg>
  )
}

function Slider({ of }: { of: Activity }) {
  const shown = moment.value
  const [dragged, drag] = useState<number | null>(null)
  useEffect(() => {
    if (dragged === null) return
    const timer = setTimeout(() => {
      const end = dragged >= of.end
      go(here({ time: end ? null : Math.round(dragged * 100) / 100, page: null, n: null }), true)
      drag(null)
    }, SETTLE)
    return () => clearTimeout(timer)
  }, [dragged])
  const time = dragged ?? shown ?? of.end
  const inSplit = of.splits.some((one) => one.begin <= time && (one.end ?? of.end) >= time)
  return (
    <div class="timeline">
      <Histogram of={of} />
      <input
        id="slider"
        type="range"
        aria-label="Show the state at a time"
        aria-valuetext={`${when(time)}${inSplit ? ', in a split' : ''}`}
        min={of.begin}
        max={of.end}
        step={Math.max((of.end - of.begin) / STEPS, 0.001)}
        value={time}
        onInput={(event) => drag(event.currentTarget.valueAsNumber)}
      />
      <div class="ends" aria-hidden="true">
        <span>{tick(of.begin)}</span>
        <output>{dragged === null && shown === null ? '' : when(time)}</output>
        <span>{tick(of.end)}</span>
      </div>
    </div>
  )
}

function Status() {
  if (!connected.value) {
    return (
      <span class={`status ${refusal.value ? 'is-bad' : ''}`} role="status">
        {refusal.value ? refusal.value.message : 'Connecting …'}
      </span>
    )
  }
  if (paused.value) {
    return (
      <span class="status" role="status">
        Paused; {many(waiting.value, 'new block')} waiting
      </span>
    )
  }
  if (moment.value !== null) {
    const ago = (overview.value?.last ?? moment.value) - moment.value
    return (
      <span class="status" role="status">
        As it was {span(ago)} before the newest block
      </span>
    )
  }
  return (
    <span class="status" role="status">
      Live
    </span>
  )
}

export function Footer() {
  const { answer } = useAnswer<Activity>(address('/activity', { intervals: INTERVALS }))
  const live = moment.value === null
  return (
    <footer class="time" aria-label="Time">
      <div class="time-row">
        {answer && <Slider of={answer} />}
        <div class="following">
          <Status />
          <button
            type="button"
            aria-pressed={paused.value}
            onClick={togglePause}
            title="Nothing moves until you press it again (p)"
          >
            {paused.value ? 'Resume' : 'Pause'}
          </button>
          <button
            type="button"
            class={live && !paused.value ? 'is-live' : ''}
            disabled={live}
            onClick={() => go(here({ time: null, page: null, n: null }))}
            title="Back to the newest state (l)"
          >
            Live
          </button>
        </div>
      </div>
    </footer>
  )
}
