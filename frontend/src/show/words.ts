/** Numbers, times and ids in words. */

/** Times of a simulation begin near 0, those of real robots in 1970. */
const WALL = 1e8

export function when(time: number): string {
  if (time < WALL) return `${time.toFixed(1)} s`
  return new Date(time * 1000).toISOString().replace('T', ' ').slice(0, 21)
}

/** A time as short as it can be beside others of the same ledger. */
export function tick(time: number): string {
  if (time < WALL) return `${Math.round(time * 100) / 100} s`
  return new Date(time * 1000).toISOString().slice(11, 19)
}

export function span(seconds: number): string {
  const s = Math.max(seconds, 0)
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 60) return `${Math.round(s)} s`
  const whole = Math.round(s)
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)]
  if (hours < 1) return `${minutes} min ${whole % 60} s`
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export const short = (id: string) => (id.length > 14 ? `${id.slice(0, 10)}…` : id)

export const count = (number: number) => number.toLocaleString('en').replaceAll(',', ' ')

export const many = (number: number, one: string, more = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : more}`

export function list(words: readonly string[]): string {
  if (words.length < 2) return words[0] ?? ''
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

export const metres = (number: number) => `${number.toFixed(1)} m`

export const region = ([column, row]: readonly [number, number]) => `(${column}, ${row})`

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
