/** Finds and starts a TPM 2.0 in software, as a process of its own. */

import { mkdirSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { findExecutable } from './find-executable.js'
import type { Say } from './say.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

/**
 * Finds the executable: `KEYTURN_SWTPM_BIN`, PATH, our cache, and for root on Debian the distribution's
 * package.
 */
export async function findSwtpm(say: Say): Promise<string> {
  return findExecutable(
    {
      title: 'TPM in software (swtpm)',
      variable: 'KEYTURN_SWTPM_BIN',
      executable: 'swtpm',
      debianPackage: 'swtpm',
    },
    say,
  )
}

export interface SwtpmOptions {
  /** Directory of the TPM's memory. It survives a restart. */
  readonly stateDirectory: string
  /** Path of the Unix socket on which the TPM takes commands. */
  readonly socket: string
  readonly logFile: string
}

/** Starts a TPM and waits until it takes a connection. */
export async function startSwtpm(options: SwtpmOptions, say: Say = () => {}): Promise<RunningProcess> {
  const command = await findSwtpm(say)
  mkdirSync(options.stateDirectory, { recursive: true, mode: 0o700 })
  // A TPM that was killed has left its socket.
  rmSync(options.socket, { force: true })
  const running = await startProcess({
    name: 'swtpm',
    command,
    args: [
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${options.stateDirectory}`,
      '--server',
      `type=unixio,path=${options.socket}`,
      '--flags',
      'not-need-init,startup-clear',
    ],
    logFile: options.logFile,
  })
  await untilReady(running, options.logFile, () => connectOnce(options.socket))
  return running
}

function connectOnce(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
