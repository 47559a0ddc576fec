/** Where the reader is: the path and query of the page's address. All that matters is in there. */

import { computed, signal } from '@preact/signals'
import { query, type Params } from '../api/client'

const read = () => ({ path: location.pathname, query: new URLSearchParams(location.search) })

export const place = signal(read())

/** The time that the pages show the state of, s; null: now. */
export const moment = computed(() => {
  const text = place.value.query.get('time')
  return text && Number.isFinite(Number(text)) ? Number(text) : null
})

/** What the address says of a name, or null. */
export const asked = (name: string) => place.value.query.get(name)

/** A link to a page, at the time that is shown. */
export function href(path: string, params: Params = {}): string {
  return path + query({ ...params, time: 'time' in params ? params.time : moment.value })
}

/** The page that is shown, with some parameters changed; null takes one away. */
export function here(changes: Params): string {
  return place.value.path + query({ ...Object.fromEntries(place.value.query), ...changes })
}

/** Go to a page. `replace` leaves no trace in the history. */
export function go(url: string, replace = false): void {
  const from = place.value.path
  if (replace) history.replaceState(null, '', url)
  else history.pushState(null, '', url)
  place.value = read()
  if (place.value.path !== from) {
    scrollTo(0, 0)
    document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
  }
}

/** Follow links without loading the page anew, and the browser's buttons. */
export function startPlace(): void {
  addEventListener('popstate', () => (place.value = read()))
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest('a')
    if (!link || event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const target = link.getAttribute('href')
    if (!target?.startsWith('/') || target.startsWith('/api/')) return
    event.preventDefault()
    go(target)
  })
}
