// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import { App } from './app';
import './lib/theme';
import './style.css';
import './charts.css';
import './pages.css';
import './access.css';

render(<App />, document.getElementById('app')!);
