import { useEffect, useRef, useState } from 'preact/hooks'
import { ask, type Refusal } from '../api/client'
import { fresh } from './live'

export interface Asked<Answer> {
  answer: Answer | null
  refusal: Refusal | null
  busy: boolean
  again: () => void
}

interface Got<Answer> {
  url: string
  answer: Answer | null
  refusal: Refusal | null
}

/**
 * Ask for an address, and anew when the ledger has grown. A slow answer is waited for: what
 * grows meanwhile is asked for after it. Until an answer to a changed question of the same path is
 * there, the old one stays.
 *
 * @param still the answer does not change any more.
 */
export function useAnswer<Answer>(url: string, still = false): Asked<Answer> {
  const [shown, show] = useState<Got<Answer>>({ url: '', answer: null, refusal: null })
  const load = useRef(() => {})
  useEffect(() => {
    const abort = new AbortController()
    let running = false
    let stale = false
    load.current = () => {
      if (running) {
        stale = true
        return
      }
      running = true
      ask<Answer>(url, abort.signal)
        .then<Got<Answer>, Got<Answer>>(
          (answer) => ({ url, answer, refusal: null }),
          (refusal: Refusal) => ({ url, answer: null, refusal }),
        )
        .then((got) => {
          if (abort.signal.aborted) return
          running = false
          // Asked anew in vain: what is there stays, and the footer says that nothing comes.
          show((old) => (got.refusal && old.url === url && old.answer !== null ? old : got))
          if (stale) {
            stale = false
            load.current()
          }
        })
    }
    load.current()
    return () => abort.abort()
  }, [url])
  const first = useRef(true)
  const count = fresh.value
  useEffect(() => {
    if (!first.current && !still) load.current()
    first.current = false
  }, [count])
  const same = shown.url.split('?')[0] === url.split('?')[0]
  return {
    answer: same ? shown.answer : null,
    refusal: same ? shown.refusal : null,
    busy: shown.url !== url,
    again: () => load.current(),
  }
}
