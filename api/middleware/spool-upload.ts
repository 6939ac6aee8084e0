/** Takes an uploaded file to the disk, so that memory does not grow with it, and hashes it for the signature. */

import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context, MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import type { createRouteFacts } from '../http/route-facts.js'

/** Format of an upload, by its media type. */
const FORMATS = [
  ['csv', /^text\/csv\s*(;|$)/i],
  ['ndjson', /^application\/x-ndjson\s*(;|$)/i],
] as const

/** Uploads of one API key that a process takes at a time, because each needs room on its disk. */
const AT_ONCE = 2
/** Uploads of all API keys that a process takes at a time. */
const ALL_AT_ONCE = 16
const RETRY_SECONDS = 5

export interface SpoolOptions {
  readonly factsOf: ReturnType<typeof createRouteFacts>
  /** Most bytes of an upload. */
  readonly limit: number
  /** Directory for the files. Default: that of the system. */
  readonly directory?: string
}

/**
 * Takes the body of a route that accepts uploads to a file that has no name, so that the system frees its room at the
 * end of the request, and also when the process dies. Another media type is left to `readBody`, and `jsonBody` refuses
 * it after authentication.
 */
export function spoolUpload({
  factsOf,
  limit,
  directory = tmpdir(),
}: SpoolOptions): MiddlewareHandler<ApiEnv> {
  const uploads = new Map<string, number>()
  let all = 0
  return async function spoolUpload(c, next) {
    const format = factsOf(c)?.upload === true ? formatOf(c) : undefined
    if (format === undefined) return next()
    const { id } = c.get('apiKey')
    const others = uploads.get(id) ?? 0
    if (others >= AT_ONCE) throw tooMany(`${AT_ONCE} uploads of this key are under way`, AT_ONCE)
    if (all >= ALL_AT_ONCE) throw tooMany(`${ALL_AT_ONCE} uploads are under way`, ALL_AT_ONCE)
    uploads.set(id, others + 1)
    all++
    let file: FileHandle | undefined
    try {
      if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge(limit)
      file = await openUnnamed(directory)
      const { sha256, bytes } = await write(c, file, limit)
      c.set('bodySha256', sha256)
      c.set('upload', { file, bytes, format })
      await next()
    } finally {
      all--
      const left = (uploads.get(id) ?? 1) - 1
      if (left === 0) uploads.delete(id)
      else uploads.set(id, left)
      await file?.close()
    }
  }
}

function formatOf(c: Context<ApiEnv>) {
  const type = c.req.header('content-type') ?? ''
  return FORMATS.find(([, pattern]) => pattern.test(type))?.[0]
}

/** Opens a new file and removes its name. */
async function openUnnamed(directory: string): Promise<FileHandle> {
  const path = join(directory, `keyturn-upload-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600).catch((cause: unknown) => {
    throw noRoom(cause)
  })
  await unlink(path)
  return file
}

async function write(
  c: Context<ApiEnv>,
  file: FileHandle,
  limit: number,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > limit) throw tooLarge(limit)
      hash.update(chunk)
      await file.writeFile(chunk).catch((cause: unknown) => {
        throw noRoom(cause)
      })
    }
  } catch (cause) {
    if (cause instanceof KeyturnError) throw cause
    throw new KeyturnError('MALFORMED_REQUEST', 'The body was cut off before its end. Send it again', {
      cause,
    })
  }
  return { sha256: hash.digest('hex'), bytes }
}

function tooLarge(limit: number): KeyturnError {
  return new KeyturnError('BODY_TOO_LARGE', `The upload is larger than ${limit} bytes. Send it in parts`, {
    details: { limit },
  })
}

function tooMany(reason: string, most: number): KeyturnError {
  return new KeyturnError('RATE_LIMITED', `${reason}. Send it when one has ended`, {
    retryable: true,
    details: { limit: most, retry_after: RETRY_SECONDS },
  })
}

function noRoom(cause: unknown): KeyturnError {
  return new KeyturnError(
    'DEPENDENCY_UNAVAILABLE',
    'The platform has no room for the upload now. Send it later',
    {
      retryable: true,
      details: { retry_after: RETRY_SECONDS },
      cause,
    },
  )
}
