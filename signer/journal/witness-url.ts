/** Keeps the witness behind a URL of the customer's: `GET` returns the position, `PUT` stores it. */

import { z } from 'zod'
import { isIsoTime } from '../../domain/iso-time.js'
import type { JournalPosition } from './journal.js'
import { JournalFailure } from './journal-failure.js'
import { isSamePosition, type Witness, WitnessMismatch } from './witness.js'

/** Longest time of one call, for every behaviour of the other side. */
const CALL_TIMEOUT_MS = 5_000
const ATTEMPTS = 3
const PAUSE_MS = 200
/** Most bytes of an answer, which has three short fields. */
const MAX_ANSWER_BYTES = 4_096

const positionSchema = z.object({
  head: z.string().regex(/^[0-9a-f]{64}$/),
  sequence: z.int().min(0),
  /** Time of the entry. Absent where the service does not keep it, or uses the name for something else. */
  at: z.string().refine(isIsoTime).optional().catch(undefined),
})

/**
 * Opens a witness behind a service of the customer's. docs/signer-protocol.md describes the protocol.
 *
 * @param token - Bearer token, if the service needs one.
 * @param timeoutMs - Longest time of one call. A call is tried three times.
 */
export function openUrlWitness(
  place: string,
  token: string | undefined,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Witness {
  let written: JournalPosition | null = null

  async function call(method: 'GET' | 'PUT', body?: object): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await once(place, token, timeoutMs, method, body)
        if (answer.status < 500) return answer
        throw new Error(`it answered ${answer.status}`)
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'unknown'
        if (attempt >= ATTEMPTS)
          throw new JournalFailure(`The witness ${place} failed: ${reason}`, { cause: error })
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt))
      }
    }
  }

  return {
    place,
    async read() {
      const answer = await call('GET')
      if (answer.status === 404) return null
      const known = positionOf(answer)
      if (!known) throw new JournalFailure(`The witness ${place} answered ${answer.status} and no position`)
      written = known
      return known
    },
    async write(position) {
      if (written && isSamePosition(written, position)) return
      const { head, sequence, at } = position
      const previous = written && { head: written.head, sequence: written.sequence }
      // A copy of this home that writes there as well finds another position than it left, and ends before
      // its answer leaves.
      const answer = await call('PUT', { head, sequence, at, previous })
      const known = positionOf(answer)
      if (known?.sequence === position.sequence && known.head === position.head) {
        written = position
        return
      }
      if (known || answer.status === 409) {
        const holds = known ? `holds entry ${known.sequence}` : 'refuses'
        throw new WitnessMismatch(
          `The witness ${place} ${holds} instead of entry ${position.sequence}`,
          known,
        )
      }
      throw new JournalFailure(`The witness ${place} answered ${answer.status} and no position`)
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function once(
  place: string,
  token: string | undefined,
  timeoutMs: number,
  method: string,
  body?: object,
): Promise<Answer> {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it did not answer within ${timeoutMs} ms`))
      abort.abort()
    }, timeoutMs)
  })
  const answer = (async () => {
    const response = await fetch(place, {
      method,
      redirect: 'error',
      signal: abort.signal,
      headers: {
        accept: 'application/json',
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of response.body ?? []) {
      length += chunk.length
      if (length > MAX_ANSWER_BYTES) throw new Error('its answer is too long')
      chunks.push(chunk)
    }
    return { status: response.status, text: Buffer.concat(chunks).toString('utf8') }
  })()
  // The loser of the race may still fail, and no code waits for it.
  answer.catch(() => undefined)
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
    abort.abort()
  }
}

function positionOf({ status, text }: Answer): JournalPosition | null {
  if (status >= 300) return null
  try {
    return positionSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}
