/** Asks the server. Every question is a GET; see /api/openapi.json. */

export type Params = Record<string, string | number | null | undefined>

/** The server did not answer the question; `message` says why, in words to show. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** What to say where the server did not give its reason. */
const REASONS: Record<number, string> = {
  0: 'The server does not answer. Is `collab-robots ledger web` still running?',
  401: 'This ledger needs a token: open the address that `collab-robots ledger web` printed.',
  429: 'Too many questions in a short time. Wait a moment, then try again.',
}

export function query(params: Params): string {
  const given = Object.entries(params).filter(([, value]) => value != null)
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return text && `?${text}`
}

export function address(path: string, params: Params = {}): string {
  return `/api/v1${path}${query(params)}`
}

/**
 * Ask, and return the answer.
 *
 * @throws {Refusal} if there is none.
 */
export async function ask<Answer>(url: string, signal?: AbortSignal): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(url, { signal, headers: { Accept: 'application/json' } })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Refusal(0, REASONS[0]!)
  }
  const body: unknown = await response.json().catch(() => null)
  if (response.ok && body !== null) return body as Answer
  const told = (body as { error?: { message?: string } } | null)?.error?.message
  throw new Refusal(
    response.status,
    REASONS[response.status] ?? told ?? `The server answered ${response.status}.`,
  )
}
