/** Streams exports: as fast as the reader takes them, within a deadline, and a few at a time. */

import type { ExportRequest } from '../../db/exports/dataset.js'
import { exportHead, readExport } from '../../db/exports/read-export.js'
import { settleTime } from '../../db/exports/settle-time.js'
import { streamsLimited, takeStreamSlot } from '../../db/exports/take-stream-slot.js'
import type { ApiDependencies } from '../context.js'

/** Streams of one process. Each holds a connection of its pool, which other requests need too. */
const MOST_STREAMS = 8
/** Longest wait for transactions that are open when an export of the ledger begins. */
const SETTLE_MS = 2_000
/** Pages that wait for the reader, besides the one that is read next. */
const PAGES_AHEAD = 1

const encoder = new TextEncoder()

export interface ExportStreams {
  /**
   * Opens a stream. Its first rows are read before this returns, so that an error still has a status of its
   * own. An error after that breaks the stream off.
   *
   * @param cut - Breaks the connection off, so that the answer has no proper end. It returns whether there
   * is a connection.
   * @throws KeyturnError `RATE_LIMITED` if the merchant or the process has too many.
   */
  open(request: ExportRequest, cut?: () => boolean): Promise<ReadableStream<Uint8Array>>
}

/** Creates the streams of a process. */
export function createExportStreams({ sql, networks, environment, log }: ApiDependencies): ExportStreams {
  let running = 0
  const { KEYTURN_EXPORT_DEADLINE: deadlineMs, KEYTURN_EXPORT_STALL: stallMs } = environment

  return {
    open(request, cut = () => false) {
      if (running >= MOST_STREAMS) throw streamsLimited('The platform streams as many exports as it can')
      running += 1
      const ending = new AbortController()
      const end = (reason: string): void => ending.abort(new Error(reason))
      const deadline = setTimeout(() => end('The export took longer than its deadline'), deadlineMs)
      const channel = openChannel(end, cut, stallMs)

      return new Promise((resolve, reject) => {
        const read = async (): Promise<void> => {
          const asOf = request.dataset === 'ledger' ? (await settleTime(sql, SETTLE_MS)).asOf : null
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
        ending.signal.addEventListener('abort', () => channel.fail(ending.signal.reason))
        read()
          .then(channel.close, (error: unknown) => {
            const reason: unknown = ending.signal.aborted ? ending.signal.reason : error
            // Nothing changes where the stream was returned already.
            reject(reason)
            channel.fail(reason)
            if (!channel.cancelled())
              log.warn({ err: reason, dataset: request.dataset }, 'an export ended early')
          })
          .finally(() => {
            clearTimeout(deadline)
            running -= 1
          })
      })
    },
  }
}

/** Opens a stream that accepts a text only when its reader has room for it. */
function openChannel(end: (reason: string) => void, cut: () => boolean, stallMs: number) {
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
        end('The reader has gone')
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
      const stalled = setTimeout(() => end('The reader took nothing for too long'), stallMs)
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
