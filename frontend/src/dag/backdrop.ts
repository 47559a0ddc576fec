/** What lies behind and before the blocks: lanes, times, splits, and rings around some blocks. */

import type Sigma from 'sigma'
import type { Split } from '../api/answers'
import { ticks } from '../show/gantt'
import { tick, when } from '../show/words'
import { colour } from '../state/theme'
import type { Layout, Mark } from './layout'

const FONT = '12px system-ui, sans-serif'

export function drawBehind(
  on: CanvasRenderingContext2D,
  sigma: Sigma,
  layout: Layout,
  splits: readonly Split[],
): void {
  const { width, height } = sigma.getDimensions()
  on.clearRect(0, 0, width, height)
  on.font = FONT
  if (layout.spacing === 'time') {
    const x = (time: number) => sigma.graphToViewport({ x: layout.timeX(time), y: 0 }).x
    const from = layout.time(sigma.viewportToGraph({ x: 0, y: 0 }).x)
    const to = layout.time(sigma.viewportToGraph({ x: width, y: 0 }).x)
    on.fillStyle = colour('split-band')
    for (const split of splits) {
      const [left, right] = [Math.max(x(split.begin), 0), Math.min(x(split.end ?? to), width)]
      if (right > left) on.fillRect(left, 0, right - left, height)
    }
    on.textAlign = 'center'
    for (const time of ticks(from, to, width / 140)) {
      on.fillStyle = colour('line')
      on.fillRect(Math.round(x(time)), 20, 1, height)
      on.fillStyle = colour('soft')
      on.fillText(tick(time), x(time), 14)
    }
  }
  on.fillStyle = colour('line')
  for (let lane = 0; lane < layout.lanes; lane++) {
    on.fillRect(0, Math.round(sigma.graphToViewport({ x: 0, y: layout.y(lane) }).y), width, 1)
  }
}

export function drawBefore(
  on: CanvasRenderingContext2D,
  sigma: Sigma,
  layout: Layout,
  lanes: readonly string[],
  chosen: Mark | undefined,
  hovered: Mark | undefined,
): void {
  const { width, height } = sigma.getDimensions()
  on.clearRect(0, 0, width, height)
  on.font = FONT
  on.textAlign = 'left'
  lanes.forEach((name, lane) => {
    const { y } = sigma.graphToViewport({ x: 0, y: layout.y(lane) })
    if (y > 24 && y < height) label(on, name, 6, y - 8)
  })
  for (const mark of [chosen, hovered]) {
    if (!mark) continue
    const place = sigma.graphToViewport({ x: layout.x(mark), y: layout.y(mark.lane) })
    on.strokeStyle = colour('ink')
    on.lineWidth = 2
    on.beginPath()
    on.arc(place.x, place.y, 9, 0, 2 * Math.PI)
    on.stroke()
    const words = `${mark.robot ?? 'unsigned'} ${mark.seq}, ${when(mark.issued)}`
    const wide = on.measureText(words).width
    label(on, words, Math.min(place.x + 12, width - wide - 8), Math.max(place.y - 14, 34))
  }
}

function label(on: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  on.fillStyle = colour('card')
  on.globalAlpha = 0.85
  on.fillRect(x - 4, y - 12, on.measureText(text).width + 8, 17)
  on.globalAlpha = 1
  on.fillStyle = colour('ink')
  on.fillText(text, x, y)
}
