// Package report draws a sweep as one HTML page that needs nothing else: no
// network, no script to be readable, charts as inline SVG. It is pure: [Render]
// writes what [Data] holds, and has no clock, so the same data give the same page.
//
// Start reading at [Render]. The page itself is in page.html, style.css and
// sort.js; view.go says what is on it; the charts are each in a file of their own on
// top of chart.go. Collecting the data and storing the page is the Report
// activity's business.
package report
