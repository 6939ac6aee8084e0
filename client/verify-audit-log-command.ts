/**
 * The program `keyturn-verify-audit-log`: verifies an export of the audit log offline, without the platform.
 */

import { readFile } from 'node:fs/promises'
import { verifyAuditLog } from './verify-audit-log.js'

async function main([file, expectedHead]: readonly string[]): Promise<number> {
  if (file === undefined) {
    console.error('usage: keyturn-verify-audit-log <export.ndjson|export.json> [expected head hash]')
    return 2
  }
  const result = verifyAuditLog(await readFile(file, 'utf8'), expectedHead)
  console.log(JSON.stringify(result))
  return result.valid ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
