/** Keeps every secret sealed under the present master key. */

import type { Logger } from 'pino'
import type { Environment } from '../config/load-environment.js'
import { masterKeysOf, oldestMasterKey } from '../config/master-keys.js'
import type { Sql } from '../db/connect.js'
import { resealSecrets } from '../db/reseal-secrets.js'
import { loadPlatformKey } from '../db/signing/platform-key.js'

/**
 * Seals secrets of other master keys again and logs their number. After an error every secret still opens as
 * before.
 *
 * @param always - Whether to do it even if no previous master key is configured, as at the first start of a
 * new version.
 */
export async function keepSealed(
  sql: Sql,
  environment: Environment,
  log: Pick<Logger, 'info' | 'error'>,
  always: boolean,
): Promise<void> {
  const keys = masterKeysOf(environment)
  const previous = environment.KEYTURN_PREVIOUS_MASTER_KEYS.length
  if (!always && previous === 0) return
  try {
    await loadPlatformKey(sql, keys, oldestMasterKey(environment))
    const secrets = await resealSecrets(sql, keys)
    if (secrets > 0) log.info({ secrets }, 'sealed secrets again under KEYTURN_MASTER_KEY')
    else if (previous > 0) {
      log.info(
        'no secret needs KEYTURN_PREVIOUS_MASTER_KEYS any more; remove it once every process has the new key',
      )
    }
  } catch (error) {
    log.error({ err: error }, 'secrets cannot be sealed again; a master key is missing')
  }
}
