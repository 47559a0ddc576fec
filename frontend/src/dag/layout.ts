/**
 * Where blocks lie: time to the right, a lane for each robot. Units are pixels at the camera's
 * first zoom; x = 0 is the newest block when the part was loaded.
 */

import type { Block, Dag, Split, State } from '../api/answers'
import { sideAt } from '../state/live'

export type Spacing = 'time' | 'even'

const STATES: readonly State[] = ['pending', 'accepted', 'final']
const STEP = 15 // between two blocks of the busiest lane, or two depths
const EDGE = 46 // above the first lane, for the time
const WIDEST = 110 // between lanes

/** A block in the picture; `lane` of unsigned ones lies below all robots'. */
export interface Mark {
  id: string
  robot: string | null
  lane: number
  seq: number
  issued: number
  depth: number
  state: State
  side: number
  calls: number
}

export function marksOf(dag: Dag): Mark[] {
  return dag.id.map((id, index) => {
    const robot = dag.robot[index]!
    return {
      id,
      robot: dag.robots[robot] ?? null,
      lane: robot < 0 ? dag.robots.length : robot,
      seq: dag.seq[index]!,
      issued: dag.issued[index]!,
      depth: dag.depth[index]!,
      state: STATES[dag.state[index]!]!,
      side: dag.side[index]!,
      calls: dag.calls[index]!,
    }
  })
}

export function markOf(block: Block, robots: readonly string[], splits: readonly Split[]): Mark {
  const lane = robots.indexOf(block.robot ?? '')
  return {
    id: block.id,
    robot: block.robot,
    lane: lane < 0 ? robots.length : lane,
    seq: block.seq,
    issued: block.issued,
    depth: block.depth,
    state: block.state,
    side: sideAt(splits, block.robot, block.issued),
    calls: block.calls.length,
  }
}

export class Layout {
  private readonly newest: number
  private readonly deepest: number
  private readonly perSecond: number
  private readonly pitch: number

  constructor(
    marks: readonly Mark[],
    readonly lanes: number,
    readonly height: number,
    readonly spacing: Spacing,
  ) {
    const times = marks.map((mark) => mark.issued)
    const counts = new Array<number>(lanes + 1).fill(0)
    for (const mark of marks) counts[mark.lane]!++
    this.newest = times.reduce((a, b) => Math.max(a, b), -Infinity)
    this.deepest = marks.reduce((depth, mark) => Math.max(depth, mark.depth), 0)
    const oldest = times.reduce((a, b) => Math.min(a, b), this.newest)
    this.perSecond = (STEP * Math.max(...counts)) / Math.max(this.newest - oldest, 1)
    this.pitch = Math.min((height - EDGE) / lanes, WIDEST)
  }

  /** Of a time; only where the spacing is by time. */
  timeX(time: number): number {
    return (time - this.newest) * this.perSecond
  }

  /** The time at a place. */
  time(x: number): number {
    return this.newest + x / this.perSecond
  }

  x(mark: Mark): number {
    return this.spacing === 'time' ? this.timeX(mark.issued) : (mark.depth - this.deepest) * STEP
  }

  /** Of a lane; up is positive. */
  y(lane: number): number {
    return this.height - EDGE - this.pitch * (lane + 0.5)
  }
}
