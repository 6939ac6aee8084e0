/** Installs packages of Debian, one at a time. */

import { findOnPath } from './find-on-path.js'
import { runToEnd } from './run-to-end.js'
import type { Say } from './say.js'

const OPTIONS = { env: { DEBIAN_FRONTEND: 'noninteractive' } }
/** Another process may hold the lock. */
const WAIT = ['-o', 'DPkg::Lock::Timeout=120']

/** Installation that runs or ran last. Parts are found side by side, and two `apt-get` exclude each other. */
let last: Promise<unknown> = Promise.resolve()
let isUpdated = false

/**
 * Installs a Debian package for a part, and reads the list of packages once in a process.
 *
 * @param title - Name of the part for messages.
 * @returns The reason why it was not installed, or `null`.
 */
export async function installDebianPackage(name: string, title: string, say: Say): Promise<string | null> {
  if (process.getuid?.() !== 0) return `not root, so the package ${name} was not installed`
  const apt = findOnPath('apt-get')
  if (!apt) return `no apt-get to install the package ${name} with`
  const installing = last.then(async () => {
    say(`${title}: installing the package ${name}, once`)
    if (!isUpdated) isUpdated = (await runToEnd(apt, ['update', '-qq', ...WAIT], OPTIONS)) === null
    const args = ['install', '-y', '-qq', '--no-install-recommends', ...WAIT, name]
    return runToEnd(apt, args, OPTIONS)
  })
  last = installing
  const failure = await installing
  return failure === null ? null : `apt-get failed (${failure})`
}
