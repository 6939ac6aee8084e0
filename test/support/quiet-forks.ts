/** Runs each test file in a process of its own, whose output goes into a log of that file. */

import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'
import { ForksPoolWorker, type PoolOptions, type WorkerRequest } from 'vitest/node'
import { fileLog } from './file-log.js'

/**
 * A process for one test file. Its output is not only `console`: Temporal's logger writes to the streams, and
 * its native core to their descriptors.
 */
class QuietFork extends ForksPoolWorker {
  override readonly name = 'quiet-forks'
  readonly #files: { current: string | undefined }

  constructor(options: PoolOptions) {
    const files: { current: string | undefined } = { current: undefined }
    const { vitest } = options.project
    const logger = Object.create(vitest.logger, {
      outputStream: { value: appendingTo(files) },
      errorStream: { value: appendingTo(files) },
    })
    const project = Object.create(options.project, {
      vitest: { value: Object.create(vitest, { logger: { value: logger } }) },
    })
    super({ ...options, project })
    this.#files = files
  }

  override send(message: WorkerRequest): void {
    if (message.type === 'run' || message.type === 'collect') {
      const [file] = message.context.files
      if (file) {
        this.#files.current = fileLog(file.filepath)
        rmSync(this.#files.current, { force: true })
      }
    }
    super.send(message)
  }
}

/** Returns a stream that appends to the log of the current file. */
function appendingTo(files: { readonly current: string | undefined }): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      if (files.current) {
        mkdirSync(dirname(files.current), { recursive: true })
        appendFileSync(files.current, chunk)
      } else process.stderr.write(chunk)
      done()
    },
  })
}

/** The pool for `vitest.config.ts`. */
export const quietForks = {
  name: 'quiet-forks',
  createPoolWorker: (options: PoolOptions) => new QuietFork(options),
}
