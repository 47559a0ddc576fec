import type { Conflict, Evidence, Failures, Trust, Verdict } from '../api/answers'
import { address } from '../api/client'
import { Badge, BlockLink, Head, Robot, Robots, Shown, Time } from '../show/basics'
import { SketchPicture } from '../show/sketch'
import { Table } from '../show/table'
import { capital, many, region } from '../show/words'
import { useAnswer } from '../state/answer'
import { href, moment } from '../state/place'

export function TrustPage() {
  const url = address('/trust', { time: moment.value })
  const trust = useAnswer<Trust>(url, moment.value !== null)
  return (
    <>
      <Head title="Trust" json={url}>
        Whose maps, bids and votes count, and the submissions behind each verdict.
      </Head>
      <Shown asked={trust}>
        {(all) => (
          <>
            <p>
              A robot is convicted when its sketch of a region conflicts with{' '}
              {all.needed === 1 ? 'that of another' : `those of ${all.needed} others`}, so many
              that not all of them can lie.
            </p>
            {all.verdicts.map((verdict) => (
              <VerdictCard key={verdict.robot} of={verdict} needed={all.needed} />
            ))}
            <section>
              <h2>Disputes</h2>
              <Table
                name="Regions with a conflict and too few witnesses"
                columns={[
                  { title: 'Region', cell: (one) => region(one.region) },
                  { title: 'Since', cell: (one) => <Time at={one.since} /> },
                ]}
                rows={all.disputes}
                empty="No region waits for another witness."
              />
            </section>
          </>
        )}
      </Shown>
    </>
  )
}

function VerdictCard({ of, needed }: { of: Verdict; needed: number }) {
  const guilty = of.convicted || of.equivocated
  return (
    <section class={`verdict ${guilty ? 'is-bad' : ''}`} id={of.robot}>
      <h2>
        <Robot name={of.robot} />{' '}
        <Badge of={of.standing} tone={of.standing === 'active' ? 'good' : 'bad'} />
        {of.convicted && <Badge of="convicted" tone="bad" />}
        {of.equivocated && <Badge of="signed twice" tone="bad" />}
      </h2>
      <p>{capital(of.words.replace(`${of.robot}: `, ''))}</p>
      {of.proof.length > 0 && (
        <p>
          Two records with one number:{' '}
          {of.proof.map((id) => (
            <span key={id}>
              <BlockLink id={id} />{' '}
            </span>
          ))}
        </p>
      )}
      {of.evidence.length > 0 && (
        <details open={guilty}>
          <summary>Conflicts in {many(of.evidence.length, 'region')}</summary>
          {of.evidence.map((one) => (
            <Region key={region(one.region)} of={one} robot={of.robot} needed={needed} />
          ))}
        </details>
      )}
      <FailureTable of={of.failures} />
    </section>
  )
}

function Region({ of, robot, needed }: { of: Evidence; robot: string; needed: number }) {
  return (
    <article class="evidence">
      <h3>
        Region {region(of.region)}{' '}
        <Badge
          of={of.suffices ? 'convicts' : `${of.witnesses.length} of ${needed} witnesses`}
          tone={of.suffices ? 'bad' : 'pending'}
        />
      </h3>
      <p>
        Witnesses: <Robots of={of.witnesses} />.{' '}
        <a href={href('/map', { region: of.region.join(',') })}>See it on the map</a>
      </p>
      <div class="pairs">
        {of.conflicts.map((conflict, index) => (
          <Pair key={index} of={conflict} robot={robot} />
        ))}
      </div>
    </article>
  )
}

/** The two sketches that cannot both be true. */
function Pair({ of, robot }: { of: Conflict; robot: string }) {
  const one = (name: string, time: number, block: string | null, sketch: Conflict['sketch']) => (
    <figure>
      <SketchPicture sketch={sketch} name={`What ${name} drew`} cells={of.cells} />
      <figcaption>
        <Robot name={name} /> <Time at={time} /> <BlockLink id={block} />
      </figcaption>
    </figure>
  )
  return (
    <div class="pair">
      {one(robot, of.time, of.block, of.sketch)}
      {one(of.witness, of.witness_time, of.witness_block, of.witness_sketch)}
      <p class="note">{many(of.cells.length, 'cell')} differ, framed.</p>
    </div>
  )
}

/** Failed audits: of what kind, and how many each auditor found. */
export function FailureTable({ of }: { of: Failures }) {
  const rows = Object.entries(of).flatMap(([kind, auditors]) =>
    Object.entries(auditors).map(([auditor, number]) => ({ kind, auditor, number })),
  )
  if (!rows.length) return null
  return (
    <Table
      name="Failed audits"
      columns={[
        { title: 'Failed audit', cell: (row) => row.kind },
        { title: 'Auditor', cell: (row) => <Robot name={row.auditor} /> },
        { title: 'Times', cell: (row) => row.number, number: true },
      ]}
      rows={rows}
    />
  )
}
