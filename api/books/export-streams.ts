/** Streams exports: as fast as the reader takes them, within a deadline, and a few at a time. */

import type { ExportRequest } from '../../db/exports/dataset.js'
import { exportHead, readExport } from '../../db/exports/read-export.js'
import { settleTime } from '../../db/exports/settle-time.js'
import { streamsLimited, takeStreamSlot } from '../../db/exports/take-stream-slot.js'
import { createSlots } from '../../domain/create-slots.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiDependencies } from '../context.js'

/**
 * Streams of one process. Each holds two pages (about 1 MB of text each) and a connection of the pool, which other
 * requests need too.
 */
const MOST_STREAMS = 12
/** Streams from which a merchant may have one alone in this process, so that a few cannot take all. */
const MANY_STREAMS = MOST_STREAMS / 2
/** Longest wait for transactions that are open when an export of the ledger begins. */
const SETTLE_MS = 2_000
/** Pages that wait for the reader, besides the one that is read next. */
const PAGES_AHEAD = 1

const encoder = new TextEncoder()

/** Who reads a stream. */
export interface ExportReader {
  /**
   * Breaks the connection off, so that the answer has no proper end. It returns whether there is a connection.
   */
  readonly cut?: () => boolean
  /** Signal that is aborted when the reader leaves, also before the first row. */
  readonly gone?: AbortSignal
}

export interface ExportStreams {
  /**
   * Opens a stream. Its first rows are read before this returns, so that an error still has a status of its
   * own. An error after that breaks the stream off.
   *
   * @throws KeyturnError `RATE_LIMITED` if the merchant or the process has too many.
   * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` if the deadline comes before the first row.
   */
  open(request: ExportRequest, reader?: ExportReader): Promise<ReadableStream<Uint8Array>>
}

/** Creates the streams of a process. */
export function createExportStreams({
  sql,
  networks,
  environment,
  log,
}: Pick<ApiDependencies, 'sql' | 'networks' | 'environment' | 'log'>): ExportStreams {
  const slots = createSlots()
  const { KEYTURN_EXPORT_DEADLINE: deadlineMs, KEYTURN_EXPORT_STALL: stallMs } = environment

  return {
    open(request, { cut = () => false, gone } = {}) {
      const all = slots.taken('all')
      if (all >= MOST_STREAMS || (all >= MANY_STREAMS && slots.taken(request.merchantId) > 0))
        throw streamsLimited('The platform streams as many exports as it can')
      const free = slots.take([request.merchantId, 'all'])
      const ending = new AbortController()
      const end = (reason: KeyturnError): void => ending.abort(reason)
      const deadline = setTimeout(() => end(tooLong()), deadlineMs)
      const leave = (): void => end(readerGone())
      const channel = openChannel(end, cut, stallMs)

      return new Promise((resolve, reject) => {
        const read = async (): Promise<void> => {
          const asOf =
            request.dataset === 'ledger'
              ? (await settleTime(sql, request.merchantId, SETTLE_MS, () => ending.signal.throwIfAborted()))
                  .asOf
              : null
          await readExport(sql, networks, request, {
            selection: { after: 0n, asOf, lastSequence: null },
            // The stream's own timers end the transaction before PostgreSQL does.
            limits: { statementMs: deadlineMs, idleMs: deadlineMs },
            signal: ending.signal,
            begin: (tx) => takeStreamSlot(tx, request.merchantId, environment.KEYTURN_EXPORT_STREAMS),
            begun: () => {
              resolve(channel.stream)
              return channel.write(exportHead(request))
            },
            take: ({ text }) => channel.write(text),
          })
        }
        ending.signal.addEventListener('abort', () => {
          // Nothing changes where the stream was returned already.
          reject(ending.signal.reason)
          channel.fail(ending.signal.reason)
        })
        gone?.addEventListener('abort', leave, { once: true })
        if (gone?.aborted) leave()
        read()
          .then(channel.close, (error: unknown) => {
            const reason: unknown = ending.signal.aborted ? ending.signal.reason : error
            reject(reason)
            channel.fail(reason)
            if (!channel.cancelled())
              log.warn({ err: reason, dataset: request.dataset }, 'an export ended early')
          })
          .finally(() => {
            clearTimeout(deadline)
            gone?.removeEventListener('abort', leave)
            free()
          })
      })
    },
  }
}

function tooLong(): KeyturnError {
  return new KeyturnError(
    'DEPENDENCY_UNAVAILABLE',
    'The export took longer than its deadline. Narrow the window, or create an export job',
    { retryable: true, details: { dependency: 'postgres' } },
  )
}

/** Creates the error of a stream whose reader does not read it. No reader sees it. */
function readerGone(reason = 'The reader has gone'): KeyturnError {
  return new KeyturnError('REQUEST_TIMEOUT', reason)
}

/** Opens a stream that accepts a text only when its reader has room for it. */
function openChannel(end: (reason: KeyturnError) => void, cut: () => boolean, stallMs: number) {
  let controller: ReadableStreamDefaultController<Uint8Array>
  let closed = false
  let cancelled = false
  let wake = (): void => {}
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (given) => {
        controller = given
      },
      pull: () => wake(),
      cancel: () => {
        closed = true
        cancelled = true
        wake()
        end(readerGone())
      },
    },
    new CountQueuingStrategy({ highWaterMark: PAGES_AHEAD }),
  )
  return {
    stream,
    cancelled: () => cancelled,
    async write(text: string): Promise<void> {
      if (closed || text === '') return
      controller.enqueue(encoder.encode(text))
      if ((controller.desiredSize ?? 0) > 0) return
      const stalled = setTimeout(() => end(readerGone('The reader took nothing for too long')), stallMs)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      clearTimeout(stalled)
    },
    close(): void {
      if (!closed) controller.close()
      closed = true
    },
    /** Breaks the stream off, so that the reader sees no proper end. */
    fail(reason: unknown): void {
      if (closed) return
      closed = true
      // The server would write the text of an error into the answer.
      if (!cancelled && !cut()) controller.error(reason)
      wake()
    },
  }
}
