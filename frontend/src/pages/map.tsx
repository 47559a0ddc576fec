import { useEffect, useRef } from 'preact/hooks'
import type { Map as Answer, Pair, Region, Sighting } from '../api/answers'
import { address } from '../api/client'
import { Badge, Empty, Head, Robot, robotClass, Shown, Time } from '../show/basics'
import { drawSketch, SIDE, SketchPicture } from '../show/sketch'
import { Choice, Table } from '../show/table'
import { metres, region } from '../show/words'
import { useAnswer } from '../state/answer'
import { names } from '../state/live'
import { asked, go, here, moment } from '../state/place'
import { colour, theme } from '../state/theme'

const CELL = 4 // pixels of the canvas
const key = (pair: Pair) => pair.join(',')

export function MapPage() {
  const url = address('/map', { time: moment.value })
  const map = useAnswer<Answer>(url, moment.value !== null)
  return (
    <>
      <Head title="Map" json={url}>
        What the robots drew of each region, as their sketches on the ledger show it.
      </Head>
      <Shown asked={map}>
        {(all) =>
          all.regions.length ? <Drawn of={all} /> : <Empty>No robot has sent a sketch yet.</Empty>
        }
      </Shown>
    </>
  )
}

function Drawn({ of }: { of: Answer }) {
  const chosen = of.regions.find((one) => key(one.region) === asked('region'))
  return (
    <>
      <div class="filters">
        <Choice
          label="Layer"
          name="layer"
          options={[
            ['', 'all that count, merged'],
            ...names.value.map((name) => [name, `only of ${name}`] as const),
          ]}
          onChoose={(layer) => go(here({ layer }), true)}
        />
        <Choice
          label="Region"
          name="region"
          options={[
            ['', 'none chosen'],
            ...of.regions.map((one) => [key(one.region), region(one.region)] as const),
          ]}
          onChoose={(name) => go(here({ region: name }), true)}
        />
      </div>
      <div class="map-columns">
        <Picture of={of} chosen={chosen} />
        <div>
          {chosen ? (
            <Chosen of={chosen} />
          ) : (
            <Empty>Choose a region to see who drew what in it.</Empty>
          )}
        </div>
      </div>
      <section>
        <h2>Sightings</h2>
        <Table
          name="What cameras recognised"
          columns={[
            { title: 'What', cell: (one: Sighting) => one.label },
            {
              title: 'Sure',
              cell: (one) => `${Math.round(100 * one.confidence)} %`,
              number: true,
            },
            { title: 'Robot', cell: (one) => <Robot name={one.robot} /> },
            {
              title: 'Place',
              cell: (one) => `x ${metres(one.place[0])}, y ${metres(one.place[1])}`,
            },
            { title: 'Time', cell: (one) => <Time at={one.time} /> },
          ]}
          rows={of.sightings}
          empty="No camera has recognised anything yet."
        />
      </section>
    </>
  )
}

function Picture({ of, chosen }: { of: Answer; chosen: Region | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const layer = asked('layer')
  const shade = theme.value
  const columns = of.regions.map((one) => one.region[0])
  const rows = of.regions.map((one) => one.region[1])
  const [left, bottom] = [Math.min(...columns), Math.min(...rows)]
  const [wide, high] = [Math.max(...columns) - left + 1, Math.max(...rows) - bottom + 1]
  useEffect(() => {
    const on = canvas.current!.getContext('2d')!
    on.clearRect(0, 0, on.canvas.width, on.canvas.height)
    const paint = {
      free: colour('free'),
      occupied: layer ? colour(`c${Math.max(names.value.indexOf(layer), 0) % 8}`) : colour('wall'),
    }
    for (const {
      region: [column, row],
      merged,
      contributions,
    } of of.regions) {
      const own = contributions.find((one) => one.robot === layer)?.sketch
      const sketch = layer ? own : merged
      if (!sketch) continue
      const x = (column - left) * SIDE * CELL
      drawSketch(on, sketch, x, (high - 1 - row + bottom) * SIDE * CELL, CELL, paint)
    }
  }, [of, layer, shade])
  const x = (metre: number) => (metre / of.region_size - left) * SIDE
  const y = (metre: number) => (high - (metre / of.region_size - bottom)) * SIDE
  const mark =
    asked('x') && asked('y') ? ([Number(asked('x')), Number(asked('y'))] as const) : null
  return (
    <figure class="map">
      <div class="map-frame">
        <canvas
          ref={canvas}
          width={wide * SIDE * CELL}
          height={high * SIDE * CELL}
          role="img"
          aria-label={`Map of ${of.regions.length} regions, ${layer ?? 'all that count merged'}`}
        />
        <svg viewBox={`0 0 ${wide * SIDE} ${high * SIDE}`}>
          {of.regions.map(({ region: pair, contributions }) => {
            const [cx, cy] = [(pair[0] - left) * SIDE, (high - 1 - pair[1] + bottom) * SIDE]
            return (
              <a
                key={key(pair)}
                href={here({ region: key(pair) })}
                tabIndex={-1}
                aria-label={`Region ${region(pair)}`}
              >
                <rect
                  class={`region ${chosen?.region === pair ? 'is-chosen' : ''}`}
                  x={cx}
                  y={cy}
                  width={SIDE}
                  height={SIDE}
                >
                  <title>
                    {region(pair)}: {contributions.map((one) => one.robot).join(', ')}
                  </title>
                </rect>
                {contributions.map((one, index) => (
                  <circle
                    key={one.robot}
                    class={`who ${robotClass(one.robot)} ${one.counts ? '' : 'is-out'}`}
                    cx={cx + 1.4 + index * 1.9}
                    cy={cy + 1.4}
                    r={0.7}
                  />
                ))}
              </a>
            )
          })}
          {of.sightings.map((one, index) => (
            <g key={index} class={`sighting ${robotClass(one.robot)}`}>
              <circle cx={x(one.place[0])} cy={y(one.place[1])} r={1.1} />
              <title>
                {one.label}, seen by {one.robot}
              </title>
            </g>
          ))}
          {mark && <circle class="mark" cx={x(mark[0])} cy={y(mark[1])} r={2.4} />}
        </svg>
      </div>
      <figcaption>
        A square is a region of {metres(of.region_size)}; its dots are the robots that drew it
        {' (hollow: does not count)'}. Large dots are sightings
        {mark && '; the ring is the place you came from'}.
      </figcaption>
    </figure>
  )
}

function Chosen({ of }: { of: Region }) {
  return (
    <>
      <h2>Region {region(of.region)}</h2>
      <div class="sketches">
        <figure>
          <SketchPicture sketch={of.merged} name="Merged" />
          <figcaption>All that count, merged</figcaption>
        </figure>
        {of.contributions.map((one) => (
          <figure key={one.robot}>
            <SketchPicture sketch={one.sketch} name={`What ${one.robot} drew`} />
            <figcaption>
              <Robot name={one.robot} /> <Time at={one.time} />
              {!one.counts && <Badge of="does not count" tone="bad" />}
            </figcaption>
          </figure>
        ))}
      </div>
    </>
  )
}
