/** Sends files of exports: a few at a time, and each as fast as its reader takes it. */

import type { Context } from 'hono'
import type { ExportJobRow } from '../../db/exports/jobs/job-row.js'
import { streamsLimited } from '../../db/exports/take-stream-slot.js'
import { createSlots } from '../../domain/create-slots.js'
import type { ApiDependencies, ApiEnv } from '../context.js'

/**
 * Downloads at the same time. Each holds one part of its file: about 5 MB, or three times as much where most
 * letters are not Latin.
 */
const MOST = { process: 24, merchant: 8, file: 4 } as const
/** Bytes that are given to the server at once. A reader that takes them in time is not cut. */
const SLICE_BYTES = 65_536

export interface ExportDownloads {
  /**
   * Opens the body of an answer. A failure, and a reader that takes nothing for too long, break the connection
   * off.
   *
   * @param parts - Bytes of the answer. The next part is read when the reader has taken the one before.
   * @throws KeyturnError `RATE_LIMITED` if the file, its merchant or the process has too many downloads.
   */
  open(
    c: Context<ApiEnv>,
    file: Pick<ExportJobRow, 'id' | 'merchant_id'>,
    parts: AsyncGenerator<Uint8Array>,
  ): ReadableStream<Uint8Array>
}

/** Creates the downloads of a process. */
export function createExportDownloads({
  environment,
  log,
}: Pick<ApiDependencies, 'environment' | 'log'>): ExportDownloads {
  const slots = createSlots()

  function take({ id, merchant_id }: Pick<ExportJobRow, 'id' | 'merchant_id'>): () => void {
    if (slots.taken(id) >= MOST.file) throw streamsLimited('This file is being downloaded too often')
    if (slots.taken(merchant_id) >= MOST.merchant)
      throw streamsLimited('Too many files of this merchant are being downloaded')
    if (slots.taken('all') >= MOST.process) throw streamsLimited('The platform sends as many files as it can')
    return slots.take([id, merchant_id, 'all'])
  }

  return {
    open(c, file, parts) {
      const free = take(file)
      const { outgoing } = c.env
      const slices = inSlices(parts)
      let stalled: NodeJS.Timeout | undefined
      let ended = false
      const end = (): void => {
        ended = true
        clearTimeout(stalled)
        free()
        void slices.return(undefined)
      }
      return new ReadableStream({
        async pull(controller) {
          clearTimeout(stalled)
          const fail = (error: unknown): void => {
            if (ended) return
            end()
            log.warn({ err: error }, 'a download was cut')
            // The server would write the text of an error into the answer.
            if (outgoing) outgoing.destroy()
            else controller.error(error)
          }
          try {
            const { done, value } = await slices.next()
            if (ended) return
            if (done) {
              end()
              controller.close()
              return
            }
            controller.enqueue(value)
            const stall = (): void => fail(new Error('The reader took nothing for too long'))
            stalled = setTimeout(stall, environment.KEYTURN_EXPORT_STALL)
          } catch (error) {
            fail(error)
          }
        },
        cancel: end,
      })
    },
  }
}

async function* inSlices(parts: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  for await (const part of parts) {
    for (let begin = 0; begin < part.length; begin += SLICE_BYTES) {
      yield part.subarray(begin, begin + SLICE_BYTES)
    }
  }
}
