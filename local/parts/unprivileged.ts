/** Chooses the user of parts that refuse to run as root. */

import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { PartMissing } from './find-executable.js'
import { findOnPath } from './find-on-path.js'

export interface Unprivileged {
  readonly uid?: number
  readonly gid?: number
  /** Words before the command. Empty when a change of the user alone is enough. */
  readonly prefix: readonly string[]
}

/**
 * Returns how to run a command that must not be root: as ourselves when we are not root, or as the user of
 * PostgreSQL or an unprivileged one. Where that user may not pass one of the directories (a clone in /root, a
 * private temporary directory), the process keeps the one capability that lets it pass.
 *
 * @param paths - Files and directories that the process must reach.
 */
export function unprivileged(paths: readonly string[]): Unprivileged {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const user = findUser('postgres') ?? findUser('nobody') ?? { uid: 65534, gid: 65534 }
  const blocked = paths.flatMap((path) => ancestors(path)).find((path) => !mayPass(path, user))
  if (blocked === undefined) return { ...user, prefix: [] }
  const setpriv = findOnPath('setpriv')
  const prefix = setpriv && [
    setpriv,
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    '--',
  ]
  const works = prefix && spawnSync(prefix[0] ?? '', [...prefix.slice(1), 'ls', blocked]).status === 0
  if (!prefix || !works) {
    throw new PartMissing(
      `PostgreSQL does not run as root, and another user may not pass ${blocked}: run this as an ordinary user, or allow it (chmod o+x)`,
    )
  }
  return { prefix }
}

/** Returns the user that owns the files of such a process. */
export function unprivilegedOwner(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  return findUser('postgres') ?? findUser('nobody') ?? { uid: 65534, gid: 65534 }
}

function findUser(name: string): { uid: number; gid: number } | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : null
}

function ancestors(path: string): string[] {
  const found: string[] = []
  for (let current = dirname(resolve(path)); ; current = dirname(current)) {
    found.push(current)
    if (current === dirname(current)) return found
  }
}

function mayPass(directory: string, user: { uid: number; gid: number }): boolean {
  const { mode, uid, gid } = statSync(directory)
  if (uid === user.uid) return (mode & 0o100) !== 0
  if (gid === user.gid) return (mode & 0o010) !== 0
  return (mode & 0o001) !== 0
}
