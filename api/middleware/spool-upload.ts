/** Takes an uploaded file to the disk, so that memory does not grow with it, and hashes it for the signature. */

import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context, MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { parseRanges } from './allow-ip.js'
import { senderOf } from './guard-addresses.js'
import { createUploadSlots, type UploadGroup } from './upload-slots.js'

/** Proven uploads of one API key, of one merchant and in all that a process takes at a time: each needs its disk. */
const OF_KEY = 2
const OF_MERCHANT = 4
const PROVEN = 16
/** Uploads that are not proven yet: those that name one key from one address, of one address, and in all. */
const OF_KEY_AND_ADDRESS = 2
const OF_ADDRESS = 4
const UNPROVEN = 8
const RETRY_SECONDS = 5

export interface SpoolOptions {
  /** Most bytes of an upload. */
  readonly limit: number
  /** Directory for the files. Default: that of the system. */
  readonly directory?: string
}

/**
 * Takes uploads whose signature was verified over the hash that they announced, after authentication. Their slots are
 * out of reach for a sender who knows no secret.
 */
export function spoolProvenUpload(options: SpoolOptions): MiddlewareHandler<ApiEnv> {
  const slots = createUploadSlots(PROVEN)
  return async function spoolProvenUpload(c, next) {
    const announced = c.get('bodySha256')
    if (announced === undefined || c.get('upload') !== undefined) return next()
    const give = slots.take([
      { id: `key ${c.get('apiKeyId')}`, most: OF_KEY, of: 'of this key' },
      { id: `merchant ${c.get('merchantId')}`, most: OF_MERCHANT, of: 'of this merchant' },
    ])
    await spool(c, next, options, give, announced)
  }
}

/**
 * Takes uploads that announce no hash. Their whole body is read before the signature can be verified, so they have few
 * slots of their own. The limit of an address leaves slots to others where a stranger has one address. With slow uploads
 * from two, a stranger fills all slots: then only uploads that announce their hash get through.
 */
export function spoolUnprovenUpload(
  options: SpoolOptions & { readonly trustedProxies: readonly string[] },
): MiddlewareHandler<ApiEnv> {
  const slots = createUploadSlots(UNPROVEN)
  const proxies = parseRanges(options.trustedProxies)
  return async function spoolUnprovenUpload(c, next) {
    if (c.get('uploadFormat') === undefined || c.get('bodySha256') !== undefined) return next()
    const address = senderOf(c, proxies)
    const groups: UploadGroup[] = [
      {
        id: `key ${address} ${c.get('apiKey').id}`,
        most: OF_KEY_AND_ADDRESS,
        of: 'of this key from this address',
      },
      { id: `address ${address}`, most: OF_ADDRESS, of: 'from this address' },
    ]
    await spool(c, next, options, slots.take(groups), null)
  }
}

/**
 * Takes the body to a file that has no name, so that the system frees its room at the end of the request, and also when
 * the process dies.
 */
async function spool(
  c: Context<ApiEnv>,
  next: () => Promise<void>,
  { limit, directory = tmpdir() }: SpoolOptions,
  give: () => void,
  announced: string | null,
): Promise<void> {
  const format = c.get('uploadFormat')
  let file: FileHandle | undefined
  try {
    if (format === undefined) throw new Error('The upload has no format')
    if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge(limit)
    file = await openUnnamed(directory)
    const { sha256, bytes } = await write(c, file, limit)
    if (announced !== null && sha256 !== announced) throw anotherBody()
    c.set('bodySha256', sha256)
    c.set('upload', { file, bytes, format })
    await next()
  } finally {
    give()
    await file?.close()
  }
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

function anotherBody(): KeyturnError {
  return new KeyturnError(
    'INVALID_SIGNATURE',
    'The body is not the one whose SHA-256 was announced in X-Content-Sha256 and signed',
  )
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
