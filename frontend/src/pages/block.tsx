import type { BlockDetails } from '../api/answers'
import { address } from '../api/client'
import { BlockLink, Head, Robot, Robots, Shown, StateBadge, TaskLink, Time } from '../show/basics'
import { Table } from '../show/table'
import { count, short, span } from '../show/words'
import { useAnswer } from '../state/answer'
import { href } from '../state/place'

export function BlockPage({ id }: { id: string }) {
  const url = address(`/blocks/${encodeURIComponent(id)}`)
  const asked = useAnswer<BlockDetails>(url)
  return (
    <>
      <Head title={<>Block {short(id)}</>} json={url} />
      <Shown asked={asked}>
        {(block) => (
          <>
            <BlockFacts of={block} />
            <section>
              <h2>What it says</h2>
              {block.robot === null ? <Data of={block} /> : <CallList of={block} />}
            </section>
            <div class="columns">
              <section>
                <h2>Parents</h2>
                <Ids of={block.parents} none="It is the first: genesis." />
              </section>
              <section>
                <h2>Children</h2>
                <Ids of={block.children} none="No block names it yet." />
              </section>
              {block.robot !== null && <Heard of={block} />}
            </div>
            <section>
              <details>
                <summary>The whole block, {count(block.size)} bytes</summary>
                {block.raw ? (
                  <pre tabIndex={0}>{block.raw}</pre>
                ) : (
                  <p class="empty">The file does not hold its bytes any more: it is pruned.</p>
                )}
              </details>
            </section>
          </>
        )}
      </Shown>
    </>
  )
}

export function BlockFacts({ of }: { of: BlockDetails }) {
  return (
    <dl class="facts">
      <dt>Id</dt>
      <dd class="id">{of.id}</dd>
      <dt>Robot</dt>
      <dd>
        <Robot name={of.robot} />
        {of.robot !== null && `, record ${of.seq}`}
      </dd>
      <dt>State</dt>
      <dd>
        <StateBadge of={of.state} />
        {of.position !== null && ` number ${count(of.position)} of the final order`}
      </dd>
      <dt>Issued</dt>
      <dd>
        <Time at={of.issued} />, received {span(of.received - of.issued)} later
      </dd>
      <dt>Place</dt>
      <dd>
        depth {of.depth}, round {of.round}
        {of.witness && ' (its robot’s witness)'}, epoch {of.epoch}.{' '}
        <a href={href('/dag', { around: of.id, block: of.id })}>Around it in the DAG</a>
      </dd>
      <dt>Approved by</dt>
      <dd>
        <Robots of={of.approved_by} />
      </dd>
    </dl>
  )
}

function CallList({ of }: { of: BlockDetails }) {
  if (!of.calls.length) return <p class="empty">Nothing: a heartbeat, it only approves others.</p>
  return (
    <ol class="call-list">
      {of.calls.map((call, index) => (
        <li key={index} class={call.ok ? '' : 'is-reverted'}>
          <code>{call.name}</code> {call.words}
          {call.task && (
            <>
              {' '}
              (<TaskLink id={call.task} words="task" />)
            </>
          )}
          {!call.ok && <p class="why">Without effect: {call.reason}</p>}
          {call.events.length > 0 && (
            <ul>
              {call.events.map((event, number) => (
                <li key={number}>{event}</li>
              ))}
            </ul>
          )}
        </li>
      ))}
    </ol>
  )
}

function Data({ of }: { of: BlockDetails }) {
  return (
    <>
      <p>An unsigned data block: it carries no weight and reaches no contract.</p>
      <dl class="facts">
        <dt>Tag</dt>
        <dd>{of.tag || <span class="soft">none</span>}</dd>
      </dl>
      <pre tabIndex={0}>{of.data || 'No data.'}</pre>
    </>
  )
}

function Ids({ of, none }: { of: readonly string[]; none: string }) {
  if (!of.length) return <p class="empty">{none}</p>
  return (
    <ul class="ids">
      {of.map((id) => (
        <li key={id}>
          <BlockLink id={id} />
        </li>
      ))}
    </ul>
  )
}

function Heard({ of }: { of: BlockDetails }) {
  return (
    <section>
      <h2>What its robot had heard</h2>
      <Table
        name="Records of each robot in the past of this block"
        columns={[
          { title: 'Of', cell: ([name]) => <Robot name={name} /> },
          { title: 'Records', cell: ([, records]) => count(records), number: true },
        ]}
        rows={Object.entries(of.heard)}
      />
    </section>
  )
}
