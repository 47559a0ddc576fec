import { useEffect, useRef, useState } from 'preact/hooks'
import type { Found } from '../api/answers'
import { address, ask } from '../api/client'
import { helpOpen } from '../keys'
import { capital } from '../show/words'
import { overview } from '../state/live'
import { asked, go, href, place } from '../state/place'
import { theme, toggleTheme } from '../state/theme'

const LINKS = ['', 'dag', 'blocks', 'robots', 'tasks', 'map', 'trust', 'models', 'splits']
const NAMES: Record<string, string> = { '': 'Overview', dag: 'DAG' }

function Search() {
  const [hints, show] = useState<string[]>([])
  const [open, setOpen] = useState(false)
  const offer = async () => {
    setOpen(true)
    if (!hints.length) show((await ask<Found>(address('/find', { q: '', limit: 1 }))).accepts)
  }
  return (
    <form
      class="search"
      role="search"
      onFocusIn={() => void offer().catch(() => setOpen(false))}
      onFocusOut={() => setOpen(false)}
      onSubmit={(event) => {
        event.preventDefault()
        const text = new FormData(event.currentTarget).get('q')
        go(href('/find', { q: String(text).trim() }))
      }}
    >
      <input
        id="search"
        key={place.value.path === '/find' ? asked('q') : ''}
        name="q"
        type="search"
        defaultValue={place.value.path === '/find' ? (asked('q') ?? '') : ''}
        placeholder="Search block, robot, task, tag, time"
        aria-label="Search"
        aria-describedby={open && hints.length ? 'hints' : undefined}
        maxLength={200}
        autoComplete="off"
        spellcheck={false}
      />
      <kbd aria-hidden="true">/</kbd>
      {open && hints.length > 0 && (
        <div id="hints" class="hints">
          <strong>What can be searched</strong>
          <ul>
            {hints.map((hint) => (
              <li key={hint}>{hint}</li>
            ))}
          </ul>
        </div>
      )}
    </form>
  )
}

export function Header() {
  const name = place.value.path.split('/')[1]
  const now = overview.value
  const links = useRef<HTMLElement>(null)
  useEffect(() => {
    const current = links.current?.querySelector('[aria-current]')
    current?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [name])
  return (
    <header class="top">
      <div class="top-row">
        <a class="brand" href={href('/')}>
          <img src="/icon.svg" alt="" width="26" height="26" />
          <span>
            {now ? now.fleet : 'Ledger'}
            {now && <small>as {now.robot} has it</small>}
          </span>
        </a>
        <Search />
        <button type="button" class="icon" onClick={toggleTheme} title="Dark or light (c)">
          {theme.value === 'dark' ? '☀' : '☾'}
          <span class="hidden">Switch to {theme.value === 'dark' ? 'light' : 'dark'} colours</span>
        </button>
        <button
          type="button"
          class="icon"
          onClick={() => (helpOpen.value = true)}
          title="Keys (?)"
        >
          ?<span class="hidden">Keys</span>
        </button>
      </div>
      <nav ref={links} class="pages" aria-label="Pages of the ledger">
        {LINKS.map((link) => (
          <a key={link} href={href(`/${link}`)} aria-current={link === name ? 'page' : undefined}>
            {NAMES[link] ?? capital(link)}
          </a>
        ))}
      </nav>
    </header>
  )
}
