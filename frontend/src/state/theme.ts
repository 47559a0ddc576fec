/** Dark or light: as the system says, until somebody chooses. */

import { computed, signal } from '@preact/signals'

type Theme = 'dark' | 'light'

const system = matchMedia('(prefers-color-scheme: dark)')
const prefers = signal<Theme>(system.matches ? 'dark' : 'light')
const chosen = signal(localStorage.getItem('theme') as Theme | null)

export const theme = computed(() => chosen.value ?? prefers.value)

const show = () => (document.documentElement.dataset['theme'] = theme.value)

export function toggleTheme(): void {
  chosen.value = theme.value === 'dark' ? 'light' : 'dark'
  localStorage.setItem('theme', chosen.value)
  show()
}

export function startTheme(): void {
  system.addEventListener('change', () => {
    prefers.value = system.matches ? 'dark' : 'light'
    show()
  })
  show()
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
