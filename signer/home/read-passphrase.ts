/** Where the passphrase of the key file comes from: environment, file, or the terminal. */

import { readFileSync } from 'node:fs'
import { Failure } from '../failure.js'

/** Shorter ones are guessed despite all stretching. */
const LEAST_LENGTH = 8

/**
 * Reads the passphrase from `KEYTURN_SIGNER_PASSPHRASE`, else the file, else the terminal without echo.
 *
 * @param file - Path, or undefined; a newline at its end is not part of it.
 * @throws Failure when there is none, or it is too short.
 */
export async function readPassphrase(file: string | undefined): Promise<string> {
  const passphrase = process.env.KEYTURN_SIGNER_PASSPHRASE ?? (file ? fromFile(file) : await prompt())
  if (passphrase.length < LEAST_LENGTH) {
    throw new Failure(`The passphrase needs at least ${LEAST_LENGTH} characters`)
  }
  return passphrase
}

function fromFile(file: string): string {
  return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
}

function prompt(): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) {
    throw new Failure(
      'Set KEYTURN_SIGNER_PASSPHRASE, or give --passphrase-file: there is no terminal to ask on',
    )
  }
  stderr.write('Passphrase of the key file: ')
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  return new Promise((resolve, reject) => {
    let typed = ''
    const done = (finish: () => void) => {
      stdin.setRawMode(false)
      stdin.pause()
      stdin.removeListener('data', onData)
      stderr.write('\n')
      finish()
    }
    const onData = (chunk: string) => {
      for (const character of chunk) {
        if (character === '\r' || character === '\n') return done(() => resolve(typed))
        if (character === '\u0003') return done(() => reject(new Failure('Interrupted')))
        typed = character === '\u007f' ? typed.slice(0, -1) : typed + character
      }
    }
    stdin.on('data', onData)
    stdin.resume()
  })
}
