/** Fetches an executable from a tar.gz archive. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { download } from './download.js'
import { runToEnd } from './run-to-end.js'
import type { Say } from './say.js'

/** Fetches an executable from a tar.gz archive. The caller compares its hash. @throws Error with the reason. */
export async function fetchArchive(
  title: string,
  url: string,
  executable: string,
  say: Say,
): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-archive-'))
  try {
    const archive = join(directory, 'archive.tar.gz')
    writeFileSync(archive, await download(title, new URL(url), null, say))
    const failure = await runToEnd('tar', ['-xzf', archive, '-C', directory])
    if (failure !== null) throw new Error(failure)
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    const found = files.find((path) => basename(path) === executable)
    if (!found) throw new Error(`the archive has no ${executable}`)
    return readFileSync(join(directory, found))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
