/**
 * Keeps open checkout pages live by server-sent events. A process listens once for changed payments and reads
 * all that changed together, so a block costs two queries, however many pages are open.
 */

import type { Logger } from 'pino'
import type { Sql } from '../../db/connect.js'
import { followNotices } from '../../db/notices.js'
import { type Checkout, readCheckouts, readHeights } from '../../db/payments/read-checkout.js'
import type { Networks } from '../../domain/chain/network.js'
import { createSlots } from '../../domain/create-slots.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Language } from '../pages/language.js'
import { renderMain } from './page.js'

/** Time in which changes are collected. A block's payments are notified one after another. */
const COLLECT_MS = 20
/** Wait after a failed query. */
const RETRY_MS = 1_000
/** Interval at which the scanned heights are read while an open page shows confirmations. */
const HEIGHTS_MS = 1_000
/** Interval of a comment in each stream, so that no proxy takes it for dead. */
const HEARTBEAT_MS = 15_000
/** Events that a slow reader may be behind. Further ones end its stream, and the browser connects again. */
const MOST_BEHIND = 16
/** Browsers connect again after this time, spread so that they do not all come at once. */
const RECONNECT_MS = 2_000
/** `Retry-After` of a stream that is refused. */
const REFUSED_SECONDS = 60

export interface LiveRequest {
  readonly paymentId: string
  readonly language: Language
  /** Version that the page shows. It gets an event once there is another one. */
  readonly version: string
  /** Address by which streams are counted. */
  readonly sender: string
}

export interface LiveCheckouts {
  /** Opens a stream. @throws KeyturnError `RATE_LIMITED` if too many are open. */
  open(request: LiveRequest): ReadableStream<Uint8Array>
  /** Streams that are open. */
  count(): number
  /** Ends all streams. */
  close(): Promise<void>
}

export interface LiveOptions {
  readonly sql: Sql
  readonly networks: Networks
  readonly log: Pick<Logger, 'warn'>
  /** Most open streams, in all and for one address. */
  readonly most: number
  readonly mostPerSender: number
}

interface Stream {
  readonly language: Language
  /** Gives its place to another stream. */
  readonly free: () => void
  version: string
  readonly controller: ReadableStreamDefaultController<Uint8Array>
}

/** Open pages of one payment. */
interface Watched {
  readonly streams: Set<Stream>
  /** Network whose blocks change the page. `null` while no confirmations are counted. */
  countsOn: string | null
}

const encoder = new TextEncoder()
const HEARTBEAT = encoder.encode(':\n\n')

/** Creates the streams of a process. The first one starts to listen. */
export function createLiveCheckouts(options: LiveOptions): LiveCheckouts {
  const { sql, networks, log } = options
  const watched = new Map<string, Watched>()
  const slots = createSlots()
  const changed = new Set<string>()
  let collecting: NodeJS.Timeout | null = null
  let heights: ReadonlyMap<string, bigint> | null = null
  let following: Promise<() => Promise<void>> | null = null
  const timers: NodeJS.Timeout[] = []

  function change(ids: Iterable<string>, wait = COLLECT_MS): void {
    for (const id of ids) if (watched.has(id)) changed.add(id)
    if (changed.size > 0 && collecting === null) collecting = setTimeout(() => void flush(), wait)
  }

  /** Reads what changed and sends it. Changes during the query wait for the next one. */
  async function flush(): Promise<void> {
    const ids = [...changed]
    changed.clear()
    let wait = COLLECT_MS
    try {
      for (const checkout of await readCheckouts(sql, ids)) send(checkout)
    } catch (error) {
      log.warn({ err: error }, 'live pages could not be refreshed; trying again')
      for (const id of ids) changed.add(id)
      wait = RETRY_MS
    }
    collecting = null
    change([], wait)
  }

  function send(checkout: Checkout): void {
    const page = watched.get(checkout.id)
    if (!page) return
    page.countsOn = countsConfirmations(checkout) ? checkout.network : null
    const events = new Map<Language, { readonly version: string; readonly bytes: Uint8Array }>()
    for (const stream of page.streams) {
      const event = events.get(stream.language) ?? render(checkout, stream.language)
      events.set(stream.language, event)
      if (event.version === stream.version) continue
      stream.version = event.version
      write(checkout.id, stream, event.bytes)
    }
  }

  function render(checkout: Checkout, language: Language) {
    const { main, version } = renderMain(checkout, networks, language)
    return { version, bytes: encoder.encode(`id: ${version}\ndata: ${JSON.stringify(main.text)}\n\n`) }
  }

  function write(id: string, stream: Stream, bytes: Uint8Array): void {
    if ((stream.controller.desiredSize ?? 0) <= 0) {
      stream.controller.close()
      forget(id, stream)
    } else {
      stream.controller.enqueue(bytes)
    }
  }

  function forget(id: string, stream: Stream): void {
    const page = watched.get(id)
    if (!page?.streams.delete(stream)) return
    if (page.streams.size === 0) watched.delete(id)
    stream.free()
  }

  /** Refreshes the pages that count confirmations on chains whose scanned height moved. */
  async function followHeights(): Promise<void> {
    const counting = [...watched].filter(([, page]) => page.countsOn !== null)
    if (counting.length === 0) {
      heights = null
      return
    }
    try {
      const before = heights
      const now = await readHeights(sql)
      heights = now
      const moved = ([, { countsOn }]: (typeof counting)[number]) =>
        countsOn !== null && before?.get(countsOn) !== now.get(countsOn)
      change(counting.filter(moved).map(([id]) => id))
    } catch (error) {
      log.warn({ err: error }, 'scanned heights could not be read for live pages; trying again')
    }
  }

  function beat(): void {
    for (const [id, { streams }] of watched) for (const stream of streams) write(id, stream, HEARTBEAT)
  }

  function start(): void {
    if (following !== null) return
    following = followNotices(
      sql,
      'payment_changed',
      (id) => change([id]),
      () => change(watched.keys()),
    )
    // The next stream tries again. The driver connects again by itself once it has listened.
    following.catch((error: unknown) => {
      log.warn({ err: error }, 'live pages cannot listen for changes')
      following = null
    })
    if (timers.length > 0) return
    timers.push(
      setInterval(() => void followHeights(), HEIGHTS_MS),
      setInterval(beat, HEARTBEAT_MS),
    )
    for (const timer of timers) timer.unref()
  }

  return {
    open({ paymentId, language, version, sender }) {
      if (slots.taken('all') >= options.most || slots.taken(sender) >= options.mostPerSender) {
        throw new KeyturnError(
          'RATE_LIMITED',
          'Too many live pages are open. The page itself can be loaded',
          {
            retryable: true,
            details: { retry_after: REFUSED_SECONDS },
          },
        )
      }
      start()
      let stream: Stream
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            stream = { language, free: slots.take([sender, 'all']), version, controller }
            const page = watched.get(paymentId) ?? { streams: new Set(), countsOn: null }
            watched.set(paymentId, page)
            page.streams.add(stream)
            const retry = Math.round(RECONNECT_MS * (1 + Math.random()))
            controller.enqueue(encoder.encode(`retry: ${retry}\n\n`))
            // The payment may have changed since the page was rendered.
            change([paymentId])
          },
          cancel: () => forget(paymentId, stream),
        },
        new CountQueuingStrategy({ highWaterMark: MOST_BEHIND }),
      )
    },
    count: () => slots.taken('all'),
    async close() {
      for (const timer of timers) clearInterval(timer)
      if (collecting !== null) clearTimeout(collecting)
      for (const [id, { streams }] of watched) {
        for (const stream of streams) {
          stream.controller.close()
          forget(id, stream)
        }
      }
      const stop = await following?.catch(() => null)
      await stop?.()
    },
  }
}

/** Whether a new block changes what the page shows. */
function countsConfirmations({ deposits }: Checkout): boolean {
  return deposits.some(({ status }) => status === 'detected' || status === 'unconfirmed')
}
