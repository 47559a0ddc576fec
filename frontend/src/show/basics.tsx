/** Small things that all pages show. */

import type { ComponentChildren } from 'preact'
import type { State } from '../api/answers'
import type { Asked } from '../state/answer'
import { names } from '../state/live'
import { href } from '../state/place'
import { short, when } from './words'

/** The class that gives a robot's colour: the same on all pages, by its place in the roster. */
export function robotClass(name: string): string {
  const index = names.value.indexOf(name)
  return index < 0 ? 'r-none' : `r${index % 8}`
}

export function Robot({ name }: { name: string | null }) {
  if (name === null) return <span class="soft">unsigned</span>
  return (
    <a class={`robot ${robotClass(name)}`} href={href(`/robots/${encodeURIComponent(name)}`)}>
      {name}
    </a>
  )
}

export function Robots({ of }: { of: readonly string[] }) {
  if (!of.length) return <span class="soft">none</span>
  return (
    <span class="robots">
      {of.map((name) => (
        <Robot key={name} name={name} />
      ))}
    </span>
  )
}

export function BlockLink({ id }: { id: string | null }) {
  if (id === null) return <span class="soft">pruned</span>
  return (
    <a class="id" href={href(`/blocks/${id}`)} title={id}>
      {short(id)}
    </a>
  )
}

export function TaskLink({ id, words }: { id: string; words?: string }) {
  return (
    <a class={words ? '' : 'id'} href={href(`/tasks/${id}`)} title={id}>
      {words ?? short(id)}
    </a>
  )
}

export function Time({ at }: { at: number }) {
  return <time title={`${at} s of the fleet's clock`}>{when(at)}</time>
}

const MEANINGS: Record<string, string> = {
  pending: 'few robots know it yet',
  accepted: 'two thirds of the robots heard lately approve it; can still change',
  final: 'two thirds of the whole roster approve it; never changes',
}

export function Badge({ of, tone }: { of: string; tone?: string }) {
  return (
    <span class={`badge is-${tone ?? of}`} title={MEANINGS[of]}>
      {of}
    </span>
  )
}

export const StateBadge = ({ of }: { of: State }) => <Badge of={of} />

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>
}

/** A page's heading, what it is about, and the same as JSON. */
export function Head(props: {
  title: ComponentChildren
  json?: string
  children?: ComponentChildren
}) {
  return (
    <header class="head">
      <div class="head-row">
        <h1>{props.title}</h1>
        {props.json && (
          <a class="json" href={props.json} title="This answer as JSON">
            JSON
          </a>
        )}
      </div>
      {props.children && <p class="lead">{props.children}</p>}
    </header>
  )
}

/** The answer when it is there; else that it is awaited, or why it does not come. */
export function Shown<Answer>(props: {
  asked: Asked<Answer>
  children: (answer: Answer) => ComponentChildren
}) {
  const { answer, refusal, busy, again } = props.asked
  if (answer !== null) {
    return (
      <div class="shown" aria-busy={busy}>
        {props.children(answer)}
      </div>
    )
  }
  if (refusal === null) {
    return (
      <p class="loading" role="status">
        Loading …
      </p>
    )
  }
  return (
    <div class="refusal" role="alert">
      <p>{refusal.message}</p>
      {refusal.status === 404 ? (
        <p>
          Look for it with the search above, or go to the <a href={href('/')}>overview</a>.
        </p>
      ) : (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  )
}
