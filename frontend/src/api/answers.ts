/**
 * The answers of the server, as collab_robots/explorer/book/answers/ defines them: times are
 * seconds of the fleet's clock, places metres in the map frame.
 */

export type State = 'pending' | 'accepted' | 'final'
export type Pair = readonly [number, number]

export interface Page<Item> {
  items: Item[]
  total: number
  next: string | null
}

export interface Call {
  name: string
  words: string
  ok: boolean
  reason: string
  events: string[]
  task: string | null
}

export interface Block {
  id: string
  robot: string | null
  seq: number
  issued: number
  received: number
  state: State
  position: number | null
  depth: number
  round: number
  epoch: number
  size: number
  parents: string[]
  calls: Call[]
}

export interface BlockDetails extends Block {
  children: string[]
  heard: Record<string, number>
  approved_by: string[]
  witness: boolean
  tag: string
  data: string
  raw: string
}

export interface Overview {
  source: string
  at: number | null
  fleet: string
  fleet_id: string
  robot: string
  epoch: number
  robots: string[]
  blocks: number
  pending: number
  accepted: number
  final: number
  pruned: number
  snapshot: number
  foreign: number
  round: number
  first: number
  last: number
  final_lag: number
  state_root: string
  final_root: string
  final_digest: string
  tasks: Record<string, number>
  calls: Record<string, number>
  reverted: Record<string, number>
  convicted: string[]
  equivocators: string[]
  splits: number
  warning: string
  version: number
}

export interface Robot {
  name: string
  key: string
  weight: number
  standing: string
  blocks: number
  final: number
  last: number
  silent: number
  rate: number
  calls: number
  reverted: number
  tasks_done: number
  holds: string[]
  convicted: boolean
  equivocated: boolean
  behind: Record<string, number>
}

export interface Event {
  time: number
  robot: string
  kind: string
  words: string
  ok: boolean
  block: string | null
  task: string | null
}

export interface RobotDetails {
  robot: Robot
  history: Page<Event>
}

export interface Task {
  id: string
  words: string
  kind: string
  place: Pair
  round: number
  state: string
  why: string
  holder: string | null
  priority: number
  deadline: number
  proposed: number
  award_from: number
  lease_until: number
  bids: Record<string, number>
  completed: Record<string, number>
}

export interface Lease {
  robot: string
  begin: number
  until: number
  end: string
}

export interface TaskDetails extends Task {
  reasons: Record<string, string>
  leases: Lease[]
  history: Event[]
}

export interface Bar extends Lease {
  task: string
  words: string
  kind: string
}

/** 16 rows from y's least to greatest: '.' free, '#' occupied, ' ' unknown. */
export interface Sketch {
  rows: string[]
}

export interface Conflict {
  time: number
  sketch: Sketch
  block: string | null
  witness: string
  witness_time: number
  witness_sketch: Sketch
  witness_block: string | null
  cells: Pair[]
}

export interface Evidence {
  region: Pair
  suffices: boolean
  witnesses: string[]
  conflicts: Conflict[]
}

export type Failures = Record<string, Record<string, number>>

export interface Verdict {
  robot: string
  standing: string
  convicted: boolean
  equivocated: boolean
  proof: string[]
  evidence: Evidence[]
  failures: Failures
  words: string
}

export interface Dispute {
  region: Pair
  since: number
}

export interface Trust {
  needed: number
  verdicts: Verdict[]
  disputes: Dispute[]
}

export interface Model {
  id: string
  model: string
  part: string
  servers: string[]
  permissions: Record<string, string>
}

export interface Models {
  models: Model[]
  failures: Record<string, Failures>
}

export interface Side {
  robots: string[]
  blocks: number
  calls: number
  done: number
  finalised: boolean
}

export interface Split {
  id: string
  begin: number
  end: number | null
  sides: Side[]
  joined: string | null
  blocks_lost: number
  twice: string[]
  words: string
}

export interface Contribution {
  robot: string
  time: number
  sketch: Sketch
  counts: boolean
}

export interface Region {
  region: Pair
  merged: Sketch
  contributions: Contribution[]
}

export interface Sighting {
  time: number
  robot: string
  place: Pair
  class_id: number
  label: string
  confidence: number
}

export interface Map {
  region_size: number
  regions: Region[]
  sightings: Sighting[]
}

/** A part of the DAG in columns, one entry a block, oldest first. */
export interface Dag {
  robots: string[]
  id: string[]
  robot: number[]
  seq: number[]
  issued: number[]
  depth: number[]
  round: number[]
  state: number[]
  side: number[]
  calls: number[]
  edges: number[]
  cut: boolean
}

export interface Hit {
  kind: string
  id: string
  title: string
  words: string
  time: number
}

export interface Found {
  query: string
  searched: string[]
  accepts: string[]
  hits: Page<Hit>
}

export interface Activity {
  begin: number
  end: number
  blocks: Record<string, number[]>
  splits: Split[]
}

export interface News {
  version: number
  overview: Overview
  blocks: Block[]
  states: Record<string, State>
}
