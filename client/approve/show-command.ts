/** The command `show`: shows what a decision would be about. */

import { visibleJson } from '../../domain/visible-text.js'
import { readCredentials } from './credentials.js'
import { describeIntent } from './describe-intent.js'
import { fetchIntent } from './fetch-intent.js'
import { readOptions } from './options.js'

/** Runs the command. */
export async function showCommand(args: readonly string[]): Promise<void> {
  const options = readOptions(args, true)
  const { intent, hash } = await fetchIntent(readCredentials(options.credentials), options.id)
  process.stdout.write(
    options.json ? `${visibleJson({ intent, intent_hash: hash }, 2)}\n` : `${describeIntent(intent, hash)}\n`,
  )
}
