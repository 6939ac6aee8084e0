/** Installs the packages, in plain JavaScript so that it runs before anything is installed. */

import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { patchPostgres } from './patch-postgres.mjs'

/**
 * Checks the version of Node, and runs `npm ci` when packages are missing or older than the lock file. Ends
 * the process when that fails.
 */
export function install() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Keyturn needs Node 20.19 or newer; this is ${process.versions.node}.`)
    process.exit(1)
  }
  // npm writes this file at the end of an installation. An older file means an unfinished or outdated
  // installation.
  const installed = 'node_modules/.package-lock.json'
  const upToDate =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync('package-lock.json').mtimeMs
  if (!upToDate) installPackages()
  // npm does not do this when scripts of packages are switched off.
  patchPostgres()
}

function installPackages() {
  console.log('Installing packages (npm ci) …')
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], { stdio: 'inherit' })
  if (status === 0) return
  // Some versions of npm refuse a lock file that lacks packages of other systems. `npm install` keeps its
  // versions too.
  console.log('npm ci refused; trying npm install with the same lock file …')
  const { status: second } = spawnSync('npm', ['install', '--no-save', '--no-fund', '--no-audit'], {
    stdio: 'inherit',
  })
  if (second !== 0) process.exit(second ?? 1)
}
