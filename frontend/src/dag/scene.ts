/** The DAG in WebGL. It knows nothing of pages: it is told what to show, and says what is picked. */

import { DirectedGraph } from 'graphology'
import Sigma from 'sigma'
import { EdgeLineProgram, NodePointProgram } from 'sigma/rendering'
import type { Dag, News, Split } from '../api/answers'
import { colour } from '../state/theme'
import { drawBefore, drawBehind } from './backdrop'
import { Layout, markOf, marksOf, type Mark, type Spacing } from './layout'

export type ColourBy = 'state' | 'robot' | 'side'

const RADIUS = 5
const MOST = 20_000 // blocks; the oldest are dropped beyond
const AHEAD = 0.35 // of the picture's width, from its middle to the newest block

// Where our own layers lie among sigma's; its types leave `beforeLayer` out.
const BEHIND = { style: {}, beforeLayer: 'edges' }
const BEFORE = { style: {}, beforeLayer: 'mouse' }

const NEAREST = 0.05
const FARTHEST = 3 // camera ratio; beyond, blocks are too small to click
const MOVE = { duration: 200 }

export class Scene {
  private readonly graph = new DirectedGraph()
  private readonly marks = new Map<string, Mark>()
  private readonly sigma: Sigma
  private readonly behind: CanvasRenderingContext2D
  private readonly before: CanvasRenderingContext2D
  private readonly resized: ResizeObserver
  private layout = new Layout([], 1, 1, 'time')
  private width = 0
  private robots: readonly string[] = []
  private splits: readonly Split[] = []
  private chosen: string | null = null
  private hovered: string | null = null
  /** Keep the newest block in the picture; until somebody moves it. */
  follow = true

  /**
   * @param onPick told which block was clicked; null: none.
   * @throws {Error} if the browser has no WebGL.
   */
  constructor(
    private readonly box: HTMLElement,
    private by: ColourBy,
    private spacing: Spacing,
    onPick: (id: string | null) => void,
  ) {
    this.sigma = new Sigma(this.graph, box, {
      allowInvalidContainer: true,
      defaultDrawNodeHover: () => {},
      defaultEdgeType: 'line',
      doubleClickZoomingDuration: 0,
      edgeProgramClasses: { line: EdgeLineProgram },
      enableCameraRotation: false,
      itemSizesReference: 'positions',
      minCameraRatio: NEAREST,
      // One vertex a block: three times as fast where WebGL runs without a graphics card.
      nodeProgramClasses: { circle: NodePointProgram },
      renderLabels: false,
      stagePadding: 0,
      zoomToSizeRatioFunction: (ratio) => ratio,
    })
    this.sigma.createCanvasContext('behind', BEHIND)
    this.sigma.createCanvasContext('before', BEFORE)
    const layers = this.sigma.getCanvases()
    this.behind = layers['behind']!.getContext('2d')!
    this.before = layers['before']!.getContext('2d')!
    this.sigma.resize(true)
    this.sigma.on('afterRender', () => this.draw())
    this.sigma.on('clickNode', ({ node }) => onPick(node))
    this.sigma.on('clickStage', () => onPick(null))
    this.sigma.on('enterNode', ({ node }) => this.hover(node))
    this.sigma.on('leaveNode', () => this.hover(null))
    this.sigma.getMouseCaptor().on('mousemovebody', ({ original }) => {
      if ('buttons' in original && original.buttons) this.follow = false
    })
    this.resized = new ResizeObserver(() => this.resize())
    this.resized.observe(box)
  }

  destroy(): void {
    this.resized.disconnect()
    this.sigma.kill()
  }

  /**
   * Show a part of the DAG in place of what is shown.
   *
   * @param whole all of it, if that is not too much; else the newest.
   */
  show(dag: Dag, whole: boolean): void {
    this.graph.clear()
    this.marks.clear()
    this.robots = dag.robots
    const marks = marksOf(dag)
    this.lay(marks)
    for (const mark of marks) this.put(mark)
    for (let index = 0; index < dag.edges.length; index += 2) {
      this.join(dag.id[dag.edges[index]!]!, dag.id[dag.edges[index + 1]!]!)
    }
    this.sigma.refresh()
    if (this.chosen && this.marks.has(this.chosen)) this.centre(this.chosen)
    else this.newest()
    if (whole && this.farthest() <= FARTHEST) this.all()
  }

  /** Add what is new; blocks that came already are left alone. */
  add(news: News): void {
    for (const block of news.blocks) {
      if (this.marks.has(block.id)) continue
      this.put(markOf(block, this.robots, this.splits))
      for (const parent of block.parents) this.join(block.id, parent)
    }
    for (const [id, state] of Object.entries(news.states)) {
      const mark = this.marks.get(id)
      if (!mark || mark.state === state) continue
      mark.state = state
      this.graph.setNodeAttribute(id, 'color', this.colourOf(mark))
    }
    for (const id of this.marks.keys()) {
      if (this.marks.size <= MOST) break
      this.marks.delete(id)
      this.graph.dropNode(id)
    }
    if (this.follow && news.blocks.length) this.newest()
  }

  setSplits(splits: readonly Split[]): void {
    this.splits = splits
    this.sigma.scheduleRender()
  }

  setColours(by: ColourBy): void {
    this.by = by
    this.graph.updateEachNodeAttributes(
      (id, attributes) => ({ ...attributes, color: this.colourOf(this.marks.get(id)!) }),
      { attributes: ['color'] },
    )
    this.graph.updateEachEdgeAttributes(
      (_edge, attributes, child, parent) => ({ ...attributes, ...this.edge(child, parent) }),
      { attributes: ['color'] },
    )
  }

  setSpacing(spacing: Spacing): void {
    if (spacing === this.spacing) return
    this.spacing = spacing
    this.arrange()
    if (this.chosen && !this.follow) this.centre(this.chosen)
    else this.newest()
  }

  /** Mark a block and its edges; null: none. */
  choose(id: string | null): void {
    const before = this.chosen
    this.chosen = id
    for (const one of [before, id]) {
      if (!one || !this.graph.hasNode(one)) continue
      this.graph.forEachEdge(one, (edge, _attributes, child, parent) =>
        this.graph.mergeEdgeAttributes(edge, this.edge(child, parent)),
      )
    }
    this.sigma.scheduleRender()
  }

  /** The block that lies `along` after the chosen one in its lane, or near it, lanes `across`. */
  neighbour(along: number, across: number): string | null {
    const all = [...this.marks.values()]
    const from = this.chosen === null ? undefined : this.marks.get(this.chosen)
    if (!from) return all.at(-1)?.id ?? null
    const lanes = [...new Set(all.map((mark) => mark.lane))].sort((a, b) => a - b)
    const lane = lanes[lanes.indexOf(from.lane) + across] ?? from.lane
    const there = all.filter((mark) => mark.lane === lane).sort((a, b) => a.issued - b.issued)
    if (!across) return (there[there.indexOf(from) + along] ?? from).id
    const near = (mark: Mark) => Math.abs(mark.issued - from.issued)
    return there.reduce((best, mark) => (near(mark) < near(best) ? mark : best)).id
  }

  zoom(nearer: boolean): void {
    const camera = this.sigma.getCamera()
    void (nearer ? camera.animatedZoom(MOVE) : camera.animatedUnzoom(MOVE))
  }

  /** Bring a block into the middle. */
  centre(id: string): void {
    const mark = this.marks.get(id)
    if (!mark) return
    this.follow = false
    this.look(this.layout.x(mark), this.box.clientHeight / 2, 1)
  }

  newest(): void {
    const [, right] = this.ends()
    const { ratio } = this.sigma.getCamera()
    this.look(right - AHEAD * this.box.clientWidth * ratio, this.box.clientHeight / 2, ratio)
    this.follow = true
  }

  all(): void {
    const [left, right] = this.ends()
    this.look((left + right) / 2, this.box.clientHeight / 2, this.farthest())
    this.follow = false
  }

  /** Where the oldest and the newest block lie. */
  private ends(): readonly [number, number] {
    let [left, right] = [Infinity, -Infinity]
    for (const mark of this.marks.values()) {
      const x = this.layout.x(mark)
      left = Math.min(left, x)
      right = Math.max(right, x)
    }
    return Number.isFinite(left) ? [left, right] : [0, 0]
  }

  /** The zoom that shows all blocks. */
  private farthest(): number {
    const [left, right] = this.ends()
    return Math.max((1.1 * (right - left)) / this.box.clientWidth, 1)
  }

  private look(x: number, y: number, ratio: number): void {
    const { clientWidth: width, clientHeight: height } = this.box
    const scale = Math.max(width, height)
    const place = { x: 0.5 + (x - width / 2) / scale, y: 0.5 + (y - height / 2) / scale }
    this.sigma.getCamera().setState({ ...place, ratio })
  }

  private lay(marks: readonly Mark[]): void {
    const { clientWidth: width, clientHeight: height } = this.box
    const unsigned = marks.some((mark) => mark.robot === null)
    const lanes = Math.max(this.robots.length + (unsigned ? 1 : 0), 1)
    this.width = width
    this.layout = new Layout(marks, lanes, height, this.spacing)
    this.sigma.setCustomBBox({ x: [0, width], y: [0, height] })
  }

  private arrange(): void {
    this.lay([...this.marks.values()])
    this.graph.updateEachNodeAttributes(
      (id, attributes) => ({ ...attributes, ...this.at(this.marks.get(id)!) }),
      { attributes: ['x', 'y'] },
    )
  }

  /** Fit a box that changed, and keep what was in the middle there. */
  private resize(): void {
    const same =
      this.width === this.box.clientWidth && this.layout.height === this.box.clientHeight
    if (!this.marks.size || same) return
    const { ratio } = this.sigma.getCamera()
    const { width, height } = this.sigma.getDimensions()
    const { x } = this.sigma.viewportToGraph({ x: width / 2, y: height / 2 })
    this.sigma.resize()
    this.arrange()
    if (this.follow) this.newest()
    else this.look(x, this.box.clientHeight / 2, ratio)
  }

  private at(mark: Mark) {
    return { x: this.layout.x(mark), y: this.layout.y(mark.lane) }
  }

  private put(mark: Mark): void {
    this.marks.set(mark.id, mark)
    const size = mark.calls ? RADIUS : 0.7 * RADIUS
    this.graph.addNode(mark.id, { ...this.at(mark), size, color: this.colourOf(mark) })
  }

  private join(child: string, parent: string): void {
    if (this.marks.has(parent)) this.graph.addEdge(child, parent, this.edge(child, parent))
  }

  private edge(child: string, parent: string) {
    const near = child === this.chosen || parent === this.chosen
    return { size: 1, color: colour(near ? 'ink' : 'edge') }
  }

  private colourOf(mark: Mark): string {
    if (this.by === 'state') return colour(mark.state)
    if (this.by === 'side') return colour(mark.side ? `c${(mark.side - 1) % 8}` : 'edge-strong')
    return colour(mark.robot === null ? 'edge-strong' : `c${mark.lane % 8}`)
  }

  private hover(id: string | null): void {
    this.hovered = id
    this.box.classList.toggle('is-over', id !== null)
    this.draw()
  }

  private draw(): void {
    const lanes = [...this.robots, 'unsigned'].slice(0, this.layout.lanes)
    const [chosen, hovered] = [this.chosen, this.hovered].map((id) => this.marks.get(id ?? ''))
    drawBehind(this.behind, this.sigma, this.layout, this.splits)
    drawBefore(this.before, this.sigma, this.layout, lanes, chosen, hovered)
  }
}
