/** Reads the passphrase of the key file from the environment, a file or the terminal. */

import { readFileSync } from 'node:fs'
import { Failure } from '../failure.js'

/** Least length of a passphrase. A shorter one can be guessed despite the key stretching. */
const LEAST_LENGTH = 8

/**
 * Reads the passphrase from `KEYTURN_SIGNER_PASSPHRASE`, else the file, else the terminal without echo.
 *
 * @param file - Path, if one was given. A newline at the end of the file is not part of the passphrase.
 * @throws Failure when there is no passphrase, or it is too short.
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
