/** What keys do, and the words of the dialog that says so. */

import { signal } from '@preact/signals'
import { togglePause } from './state/live'
import { go, here, href } from './state/place'
import { toggleTheme } from './state/theme'

export const helpOpen = signal(false)

const press = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus()

interface Key {
  keys: string
  words: string
  act: () => void
}

export const KEYS: readonly Key[] = [
  { keys: '/', words: 'search', act: () => press('#search') },
  { keys: '?', words: 'this list', act: () => (helpOpen.value = true) },
  { keys: 'p', words: 'pause: nothing moves until you press it again', act: togglePause },
  { keys: 't', words: 'the time slider; then ← and →', act: () => press('#slider') },
  { keys: 'l', words: 'back to live', act: () => go(here({ time: null })) },
  { keys: 'c', words: 'dark or light', act: toggleTheme },
  { keys: 'g o', words: 'overview', act: () => go(href('/')) },
  { keys: 'g d', words: 'DAG', act: () => go(href('/dag')) },
  { keys: 'g b', words: 'blocks', act: () => go(href('/blocks')) },
  { keys: 'g r', words: 'robots', act: () => go(href('/robots')) },
  { keys: 'g t', words: 'tasks', act: () => go(href('/tasks')) },
  { keys: 'g m', words: 'map', act: () => go(href('/map')) },
  { keys: 'g v', words: 'trust: verdicts', act: () => go(href('/trust')) },
  { keys: 'g n', words: 'models: neural networks', act: () => go(href('/models')) },
  { keys: 'g s', words: 'splits', act: () => go(href('/splits')) },
]

/** Where keys do other things: in fields one types, in the DAG they move. */
const TYPING = 'input, select, textarea, [role=application]'

export function startKeys(): void {
  let begun = ''
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || helpOpen.value) return
    const target = event.target as Element
    const wanted = KEYS.find((key) => key.keys === begun + event.key)
    if (target.matches(TYPING) && !(target.matches('[role=application]') && wanted)) {
      if (event.key === 'Escape') (target as HTMLElement).blur()
      return
    }
    begun = event.key === 'g' && !begun ? 'g ' : ''
    if (!wanted) return
    event.preventDefault()
    wanted.act()
  })
}
