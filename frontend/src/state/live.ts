/** The ledger as it grows: the overview, and news over a WebSocket, until somebody pauses. */

import { computed, signal } from '@preact/signals'
import type { News, Overview, Split } from '../api/answers'
import { address, ask, Refusal } from '../api/client'
import { moment } from './place'

const REFRESH = 1000 // ms; pages ask anew at most that often
const RETRY = [1, 2, 4, 8] // s
const MOST_HELD = 50 // news; after a longer pause everything is asked anew

export const overview = signal<Overview | null>(null)
export const refusal = signal<Refusal | null>(null)
export const connected = signal(false)
export const paused = signal(false)
/** Blocks that came since the pause began. */
export const waiting = signal(0)
/** Grows when the pages should ask anew. */
export const fresh = signal(0)
/** Grows when what was shown cannot be brought up to date by news alone. */
export const anew = signal(0)

export const names = computed(() => overview.value?.robots ?? [])

const listeners = new Set<(news: News) => void>()
let held: News[] = []
let version = 0
let due: ReturnType<typeof setTimeout> | undefined

/** Call for all news that are not held back; returns what ends it. */
export function onNews(listener: (news: News) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function togglePause(): void {
  paused.value = !paused.value
  if (paused.value) return
  const missed = held
  held = []
  waiting.value = 0
  if (missed.length > MOST_HELD) anew.value++
  for (const news of missed) tell(news)
}

/** The side (1, 2, …) of a split that a robot is on at a time; 0: no split then. */
export function sideAt(splits: readonly Split[], robot: string | null, time: number): number {
  const split = splits.find((one) => one.begin <= time && (one.end === null || time < one.end))
  return (split?.sides.findIndex((side) => side.robots.includes(robot ?? '')) ?? -1) + 1
}

function tell(news: News): void {
  overview.value = news.overview
  for (const listener of listeners) listener(news)
  due ??= setTimeout(() => {
    due = undefined
    if (!paused.value && moment.value === null) fresh.value++
  }, REFRESH)
}

function take(news: News): void {
  version = news.version
  if (!paused.value) return tell(news)
  held.push(news)
  waiting.value += news.blocks.length
}

/** Ask for the overview, then listen; try again for as long as the page is open. */
export async function startLive(tries = 0): Promise<void> {
  const later = () => {
    connected.value = false
    const wait = RETRY[Math.min(tries, RETRY.length - 1)]! * 1000
    setTimeout(() => void startLive(tries + 1), wait)
  }
  try {
    const now = await ask<Overview>(address('/overview'))
    refusal.value = null
    if (!paused.value) overview.value = now
    version = now.version
    if (tries && !paused.value) {
      fresh.value++
      anew.value++
    }
  } catch (error) {
    refusal.value = error as Refusal
    return later()
  }
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  const url = `${scheme}://${location.host}${address('/news', { since: version })}`
  const socket = new WebSocket(url)
  socket.onopen = () => {
    connected.value = true
    tries = 0
  }
  socket.onmessage = (event) => take(JSON.parse(String(event.data)) as News)
  socket.onclose = later
}
