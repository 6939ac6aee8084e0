/** Serves the files of export jobs to those who hold a link. A link needs no key. */

import { constants, inflateRawSync } from 'node:zlib'
import { type Context, Hono } from 'hono'
import { masterKeysOf } from '../../config/master-keys.js'
import type { Sql } from '../../db/connect.js'
import { findExportFile } from '../../db/exports/jobs/find-jobs.js'
import type { ExportJobRow } from '../../db/exports/jobs/job-row.js'
import { listParts, readPart } from '../../db/exports/jobs/read-parts.js'
import { EXPORT_MEDIA_TYPE, exportFileName } from '../../domain/books/export-dataset.js'
import { KeyturnError } from '../../domain/errors.js'
import { openExportLink } from '../../vault/export-link.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { handleError } from '../http/map-error.js'
import { limitPages } from '../pages/limit-pages.js'
import { createExportDownloads, type ExportDownloads } from './export-downloads.js'
import { acceptsGzip, readRange } from './file-headers.js'

/** Path of a file is `/export-files/{token}`. */
export const EXPORT_FILES_PATH = '/export-files'

/** Head of a gzip file without name and time (RFC 1952). */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
/** Empty last block of a deflate stream. */
const LAST_BLOCK = Buffer.from([0x03, 0x00])
const GZIP_TAIL_BYTES = LAST_BLOCK.length + 8

/** Creates the router. Errors are those of the API. */
export function exportFileRoutes(dependencies: ApiDependencies): Hono<ApiEnv> {
  const { sql, environment } = dependencies
  const downloads = createExportDownloads(dependencies)
  const router = new Hono<ApiEnv>()
  router.onError(handleError)
  router.use(
    limitPages({
      perMinute: environment.KEYTURN_PAGE_RATE,
      trustedProxies: environment.KEYTURN_TRUSTED_PROXIES,
    }),
  )
  router.get('/:token', async (c) => {
    const id = openExportLink(masterKeysOf(environment), c.req.param('token'), new Date())
    const file = id === null ? null : await findExportFile(sql, id)
    if (file === null) {
      throw new KeyturnError(
        'NOT_FOUND',
        'This link opens no file, or no longer. Read the export job again: each answer has a fresh link',
      )
    }
    return serve(c, sql, downloads, file)
  })
  return router
}

function serve(c: Context<ApiEnv>, sql: Sql, downloads: ExportDownloads, file: ExportJobRow): Response {
  const bytes = Number(file.bytes)
  const etag = file.sha256?.toString('hex') ?? ''
  const zipped = acceptsGzip(c.req.header('accept-encoding'))
  const range = readRange(zipped ? undefined : c.req.header('range'), bytes)
  // It may refuse, and an error must not have the headers of the file.
  const body =
    c.req.raw.method === 'HEAD' || range === 'unsatisfiable'
      ? null
      : downloads.open(c, file, zipped ? gzipChunks(sql, file) : plainChunks(sql, file, range))
  c.header('Content-Type', EXPORT_MEDIA_TYPE[file.format])
  c.header('Content-Disposition', `attachment; filename="${exportFileName(file.dataset, file.format)}"`)
  c.header('Cache-Control', 'private, no-store, no-transform')
  c.header('Vary', 'Accept-Encoding')
  c.header('ETag', `"${etag}${zipped ? '-gzip' : ''}"`)
  if (zipped) {
    c.header('Content-Encoding', 'gzip')
    c.header('Content-Length', String(GZIP_HEAD.length + Number(file.stored_bytes) + GZIP_TAIL_BYTES))
    return new Response(body, { headers: c.res.headers })
  }
  c.header('Accept-Ranges', 'bytes')
  if (range === 'unsatisfiable') {
    c.header('Content-Range', `bytes */${bytes}`)
    return c.body(null, 416)
  }
  c.header('Content-Length', String(range.end - range.begin))
  if (range.part) c.header('Content-Range', `bytes ${range.begin}-${range.end - 1}/${bytes}`)
  return new Response(body, { status: range.part ? 206 : 200, headers: c.res.headers })
}

/** Yields the gzip file that the parts make together. */
async function* gzipChunks(sql: Sql, file: ExportJobRow): AsyncGenerator<Uint8Array> {
  yield GZIP_HEAD
  for (let number = 1; number <= file.parts; number++) yield await readPart(sql, file.id, number)
  const tail = Buffer.alloc(8)
  tail.writeUInt32LE(Number(file.crc32), 0)
  tail.writeUInt32LE(Number(file.bytes % 2n ** 32n), 4)
  yield Buffer.concat([LAST_BLOCK, tail])
}

/** Yields the uncompressed bytes of a range. */
async function* plainChunks(
  sql: Sql,
  file: ExportJobRow,
  { begin, end }: { readonly begin: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  let offset = 0
  for (const { number, bytes } of await listParts(sql, file.id)) {
    if (offset < end && offset + bytes > begin) {
      const body = await readPart(sql, file.id, number)
      const plain = inflateRawSync(body, { finishFlush: constants.Z_SYNC_FLUSH })
      yield plain.subarray(Math.max(0, begin - offset), end - offset)
    }
    offset += bytes
  }
}
