import { useEffect, useRef } from 'preact/hooks'
import type { Pair, Sketch } from '../api/answers'
import { colour, theme } from '../state/theme'

export const SIDE = 16

/** Draw a sketch with its first row at the bottom; unknown cells stay clear. */
export function drawSketch(
  on: CanvasRenderingContext2D,
  sketch: Sketch,
  left: number,
  top: number,
  cell: number,
  paint: { free: string; occupied: string },
): void {
  sketch.rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (row[x] === ' ') continue
      on.fillStyle = row[x] === '#' ? paint.occupied : paint.free
      on.fillRect(left + x * cell, top + (SIDE - 1 - y) * cell, cell, cell)
    }
  })
}

/** A robot's sketch of a region as a picture, differing cells framed. */
export function SketchPicture(props: { sketch: Sketch; name: string; cells?: readonly Pair[] }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const shade = theme.value
  useEffect(() => {
    const element = canvas.current!
    const on = element.getContext('2d')!
    const cell = element.width / SIDE
    on.clearRect(0, 0, element.width, element.height)
    const paint = { free: colour('free'), occupied: colour('wall') }
    drawSketch(on, props.sketch, 0, 0, cell, paint)
    on.strokeStyle = colour('bad')
    on.lineWidth = 3
    for (const [column, row] of props.cells ?? []) {
      on.strokeRect(column * cell + 1.5, (SIDE - 1 - row) * cell + 1.5, cell - 3, cell - 3)
    }
  }, [props.sketch, props.cells, shade])
  const text = props.sketch.rows.join('')
  const walls = text.replaceAll(/[^#]/g, '').length
  const free = text.replaceAll(/[^.]/g, '').length
  const differ = props.cells?.length ? `, ${props.cells.length} cells differ` : ''
  return (
    <canvas
      ref={canvas}
      class="sketch"
      width={SIDE * 16}
      height={SIDE * 16}
      role="img"
      aria-label={`${props.name}: ${walls} cells occupied, ${free} free${differ}`}
    />
  )
}
