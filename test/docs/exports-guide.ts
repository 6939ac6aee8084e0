/** The examples of docs/guides/exports.md in TypeScript, so that the compiler checks them. */

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Client, untilExported } from '../../client/index.js'

/** Streams a dataset into a file of the working directory. */
export async function streamLedger(client: Client): Promise<void> {
  const query = { format: 'ndjson', from_date: '2026-11-01' } as const
  const { body } = await client.exports.stream('ledger', query)
  // `pipeline` throws when the stream was cut.
  await pipeline(Readable.fromWeb(body), createWriteStream('ledger.ndjson'))
}

/** Creates a job, downloads its file and compares it with the manifest. */
export async function downloadLedger(client: Client): Promise<void> {
  const { id } = await client.exports.create({ dataset: 'ledger', format: 'ndjson' })
  const job = await untilExported(client, id)
  const file = Buffer.from(await (await fetch(job.url)).arrayBuffer())
  const hash = createHash('sha256').update(file).digest('hex')
  if (hash !== job.manifest?.sha256) throw new Error('The file is not complete')
}
