/** Starts a TPM in software that belongs to one test. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningProcess } from '../../local/parts/start-process.js'
import { startSwtpm, startSwtpmDevice } from '../../local/parts/swtpm.js'
import { connectTpm } from '../../signer/tpm/connect-tpm.js'
import { u32 } from '../../signer/tpm/marshal.js'
import { runWithPassword } from '../../signer/tpm/run-command.js'

/** Index that the tests use. */
export const TPM_INDEX = 0x01804b54

const CLEAR = 0x126
const LOCKOUT = { handle: 0x4000000a, name: u32(0x4000000a) }

export interface TestTpm {
  /** Path of its Unix socket. */
  readonly socket: string
  /** Returns the place of a witness in it. */
  place(file?: string): string
  /** Ends it at once, as a power cut does. */
  kill(): Promise<void>
  /** Stops it from answering, as a TPM that hangs. */
  hang(): void
  /** Starts it again, with the memory that it had. */
  start(): Promise<void>
  /** Clears it, as its owner does in the firmware. */
  clear(): Promise<void>
}

/** Starts a TPM behind a character device. The caller ends it. */
export function testTpmDevice(
  directory: string,
): Promise<{ readonly running: RunningProcess; readonly device: string }> {
  return startSwtpmDevice(
    { stateDirectory: join(directory, 'device-memory'), logFile: join(directory, 'device.log') },
    console.log,
  )
}

/** Starts a TPM with an empty memory. The caller kills it. */
export async function testTpm(directory: string): Promise<TestTpm> {
  mkdirSync(directory, { recursive: true })
  const options = {
    stateDirectory: join(directory, 'memory'),
    socket: join(directory, 'tpm'),
    logFile: join(directory, 'swtpm.log'),
  }
  let running: RunningProcess | null = await startSwtpm(options, console.log)
  return {
    socket: options.socket,
    place: (file) =>
      `tpm:0x${TPM_INDEX.toString(16).padStart(8, '0')}?device=${options.socket}${file ? `&file=${file}` : ''}`,
    async kill() {
      if (!running) return
      const { pid, exited } = running
      running = null
      process.kill(pid, 'SIGKILL')
      await exited
    },
    hang() {
      if (running) process.kill(running.pid, 'SIGSTOP')
    },
    async start() {
      running = await startSwtpm(options)
    },
    async clear() {
      const tpm = await connectTpm(options.socket, Date.now() + 5_000)
      const command = { code: CLEAR, handles: [LOCKOUT], parameters: Buffer.alloc(0) }
      await runWithPassword(tpm, command, Buffer.alloc(0))
      tpm.close()
    },
  }
}
